"""What both peers share: one core, the recording that the bench wrote, and its line protocol.

The bench writes `recording.json` and one file of little-endian 64-bit integers for each column, starts a peer with the
folder as its argument, and asks for one backtest with each line it sends; the peer answers with one line of JSON:
`seconds` that the backtest took, `trades` that were closed, and `equity` at the end. The first answer also
compiles what is compiled just in time; the bench leaves it out.
"""

import json
import os
import pathlib
import sys

# One core, before anything starts threads of its own.
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy  # noqa: E402  the variables above must be set first

# Answers go to the stream that was given; whatever a library prints goes to the other one.
ANSWERS = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)


class Recording:
    """The columns as integers of 1e-8, and what is traded."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        told = json.loads((folder / "recording.json").read_text())
        self.kind = told["kind"]
        self.fast = told["fast"]
        self.slow = told["slow"]
        self.units = told["units"]
        self.fee = told["fee"]
        self.cash = told["cash"]
        self.columns = {name: numpy.fromfile(folder / f"{name}.i64", dtype="<i8") for name in told["columns"]}


def serve(version, backtest):
    """Answers until there is no more to read. `backtest` answers trades, equity, and seconds."""
    print(json.dumps({"version": version}), file=ANSWERS)
    for _ in sys.stdin:
        trades, equity, seconds = backtest()
        print(json.dumps({"seconds": seconds, "trades": int(trades), "equity": float(equity)}), file=ANSWERS)
