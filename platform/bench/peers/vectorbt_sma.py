"""An SMA cross by vectorbt, on minutes or on quotes, as its users write it: columns in, columns out.

What one backtest takes in: averages, crosses, orders with their fees, the account's value at every row, its drawdown, the
closed trades. What is only arithmetic on prices (units to floats, which price a row trades at) is done before.
"""

import sys
import time

from peer import Recording, serve

import numpy
import vectorbt

UNITS = 1e8
# Averages are taken of whole points, so that equal averages are equal floats, whatever was summed before.
POINT_UNITS = 1_000


def prepare(recording):
    """Prices that rows trade at, and how to find the rows at which bars have closed."""
    columns = recording.columns
    if recording.kind == "minutes":
        # The bar that closed is traded at the next one's open.
        bid, ask = columns["open"] / UNITS, (columns["open"] + columns["spread"]) / UNITS
        points = columns["close"] / POINT_UNITS

        def bars():
            return points, numpy.arange(1, len(points))

        return columns["close"] / UNITS, bid, ask, bars
    bid, ask, at = columns["bid"] / UNITS, columns["ask"] / UNITS, columns["at"]

    def bars():
        # A bar has closed at the first quote of a later minute.
        last = numpy.flatnonzero(numpy.diff(at // 60_000))
        return columns["bid"][last] / POINT_UNITS, last + 1

    return bid, bid, ask, bars


def main():
    recording = Recording(sys.argv[1])
    close, bid, ask, bars = prepare(recording)
    rows = len(close)

    def backtest():
        began = time.perf_counter()
        points, acts = bars()
        fast = vectorbt.MA.run(points, recording.fast)
        slow = vectorbt.MA.run(points, recording.slow)
        up = fast.ma_crossed_above(slow).to_numpy()
        down = fast.ma_crossed_below(slow).to_numpy()
        buy, sell = numpy.zeros(rows, dtype=bool), numpy.zeros(rows, dtype=bool)
        buy[acts] = up[: len(acts)]
        sell[acts] = down[: len(acts)]
        # Turning round is two fills: the fee is for each.
        fees = numpy.full(rows, 2 * recording.fee)
        fees[numpy.argmax(buy | sell)] = recording.fee
        portfolio = vectorbt.Portfolio.from_signals(
            close,
            entries=buy,
            short_entries=sell,
            upon_opposite_entry="reverse",
            price=numpy.where(buy, ask, bid),
            size=recording.units,
            fixed_fees=fees,
            init_cash=recording.cash,
            freq="1min",
        )
        portfolio.max_drawdown()
        trades, equity = portfolio.trades.closed.count(), portfolio.value().iloc[-1]
        return trades, equity, time.perf_counter() - began

    serve(vectorbt.__version__, backtest)


main()
