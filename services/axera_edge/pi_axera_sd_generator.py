"""`python services/axera_edge/pi_axera_sd_generator.py`: the service from a checkout, by the name it is known by."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
if sys.path and sys.path[0] == str(HERE):  # run as a file: Python looks for modules beside it, not in the checkout
    sys.path[0] = str(HERE.parents[1])

from services.axera_edge.__main__ import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
