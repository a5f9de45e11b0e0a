"""An SMA cross by nautilus_trader, on minutes or on quotes, as its guide writes strategies.

What one backtest takes in is `BacktestEngine.run` alone: data was added and sorted, engine and strategy were made before.
On quotes its own aggregator makes the minutes. Minutes are given to it as last prices, which is one stream of bars where bid
and ask would be two: the faster way, without a spread.
"""

import sys
import time
from decimal import Decimal

from peer import Recording, serve

import nautilus_trader
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.backtest.models import FixedFeeModel
from nautilus_trader.config import LoggingConfig, RiskEngineConfig
from nautilus_trader.data.config import DataEngineConfig
from nautilus_trader.indicators import SimpleMovingAverage
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import Bar, BarType, QuoteTick
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import Venue
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

UNITS = 1e8
# Averages of floats that should be equal differ by less than this.
SAME = 1e-9
VENUE = Venue("SIM")
INSTRUMENT = TestInstrumentProvider.default_fx_ccy("EUR/USD", VENUE)


class SmaCross(Strategy):
    """Long above, short below, always at the market."""

    def __init__(self, recording, bar_type):
        super().__init__()
        self.bar_type = bar_type
        self.size = Quantity.from_int(recording.units)
        self.fast = SimpleMovingAverage(recording.fast)
        self.slow = SimpleMovingAverage(recording.slow)
        self.above = None

    def on_start(self):
        self.register_indicator_for_bars(self.bar_type, self.fast)
        self.register_indicator_for_bars(self.bar_type, self.slow)
        self.subscribe_bars(self.bar_type)

    def on_bar(self, bar):
        if not self.slow.initialized:
            return
        apart = self.fast.value - self.slow.value
        if abs(apart) < SAME:
            return
        above, before = apart > 0, self.above
        self.above = above
        if before is None or before == above:
            return
        side = OrderSide.BUY if above else OrderSide.SELL
        self.close_all_positions(INSTRUMENT.id)
        self.submit_order(self.order_factory.market(INSTRUMENT.id, side, self.size))


def data(recording):
    """The recording as its objects, and the bars that the strategy asks for."""
    columns = recording.columns

    def price(units):
        return Price(units / UNITS, 5)

    if recording.kind == "minutes":
        bar_type = BarType.from_str(f"{INSTRUMENT.id}-1-MINUTE-LAST-EXTERNAL")
        size = Quantity.from_int(1_000_000)
        rows = zip(*(columns[name].tolist() for name in ("open_at", "open", "high", "low", "close")))
        return bar_type, [
            Bar(bar_type, *map(price, prices), size, (at + 60_000) * 1_000_000, (at + 60_000) * 1_000_000)
            for at, *prices in rows
        ]
    bar_type = BarType.from_str(f"{INSTRUMENT.id}-1-MINUTE-BID-INTERNAL")
    size = Quantity.from_int(1_000_000)
    rows = zip(*(columns[name].tolist() for name in ("at", "bid", "ask")))
    return bar_type, [
        QuoteTick(INSTRUMENT.id, price(bid), price(ask), size, size, at * 1_000_000, at * 1_000_000)
        for at, bid, ask in rows
    ]


def engine_for(recording, bar_type, rows):
    engine = BacktestEngine(
        BacktestEngineConfig(
            logging=LoggingConfig(bypass_logging=True),
            data_engine=DataEngineConfig(
                time_bars_interval_type="right-open", time_bars_build_with_no_updates=False
            ),
            risk_engine=RiskEngineConfig(bypass=True),
            run_analysis=False,
        )
    )
    engine.add_venue(
        VENUE,
        OmsType.HEDGING,
        AccountType.MARGIN,
        [Money(recording.cash, USD)],
        base_currency=USD,
        default_leverage=Decimal(100),
        fee_model=FixedFeeModel(Money(recording.fee, USD)),
    )
    engine.add_instrument(INSTRUMENT)
    engine.add_data(rows)
    engine.add_strategy(SmaCross(recording, bar_type))
    return engine


def main():
    recording = Recording(sys.argv[1])
    bar_type, rows = data(recording)

    def backtest():
        engine = engine_for(recording, bar_type, rows)
        began = time.perf_counter()
        engine.run()
        seconds = time.perf_counter() - began
        account = engine.cache.account_for_venue(VENUE)
        closed = engine.cache.positions_closed_count()
        floating = sum(
            float(position.unrealized_pnl(Price(recording.columns[column][-1] / UNITS, 5)))
            for position in engine.cache.positions_open()
            for column in [last_price(recording, position)]
        )
        equity = float(account.balance_total(USD)) + floating
        engine.dispose()
        return closed, equity, seconds

    serve(nautilus_trader.__version__, backtest)


def last_price(recording, position):
    """The column at which an open position counts at the end."""
    if recording.kind == "minutes":
        return "close"
    return "bid" if position.is_long else "ask"


main()
