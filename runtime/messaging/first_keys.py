"""`python -m runtime.messaging.first_keys FOLDER NAME…`: keys to the bus for containers that start on their own.

Each name's secret key is `bus.nk` in the folder of that name, a volume that its service alone has; `nats/keys.conf`
holds the public halves.
"""

from __future__ import annotations

import sys
from pathlib import Path

from runtime.messaging.users import SERVICES, keys_file, make_keys


def main(words: list[str]) -> int:
    """Make the keys that are missing, for our services and the names. Exit status 2 when they cannot be."""
    if not words:
        sys.stderr.write("usage: python -m runtime.messaging.first_keys FOLDER [NAME...]\n")
        return 2
    folder = Path(words[0])
    try:
        public = make_keys({name: folder / name / "bus.nk" for name in (*SERVICES, *words[1:])})
        (folder / "nats").mkdir(exist_ok=True)
        (folder / "nats/keys.conf").write_text(keys_file(public))
    except (OSError, ValueError) as fault:
        sys.stderr.write(f"cannot make the keys of the bus in {folder}: {fault}\n")
        return 2
    sys.stdout.write(f"keys of the bus: {', '.join(public)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
