"""`python -m tests.support.jumpy_clock MODULE`: MODULE in a Python whose wall clock jumps every two seconds.

Up to an hour, either way. The server's clock and those of other processes stay, which is what clocks that disagree are.
"""

from __future__ import annotations

import random
import runpy
import sys
import time

_PERIOD_S = 2.0
_real = time.time


def _jumpy() -> float:
    jump = random.Random(int(time.monotonic() / _PERIOD_S)).uniform(-3600, 3600)
    return _real() + jump


if __name__ == "__main__":
    module = sys.argv.pop(1)
    time.time = _jumpy
    runpy.run_module(module, run_name="__main__", alter_sys=True)
