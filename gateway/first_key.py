"""`python -m gateway.first_key FILE`: an API key where there is none yet, for containers that start on their own."""

from __future__ import annotations

import sys
from pathlib import Path

from gateway.keys import EVERY_SCOPE, KeysFileError, create_key, list_keys


def main(words: list[str]) -> int:
    """Make the key and print it, once; a file with keys is left alone. Exit status 2 when it cannot be."""
    if len(words) != 1:
        sys.stderr.write("usage: python -m gateway.first_key FILE\n")
        return 2
    path = Path(words[0])
    try:
        if path.exists() and list_keys(path):
            sys.stdout.write(f"{path} holds keys already\n")
        else:
            sys.stdout.write(f"API key: {create_key(path, 'first', EVERY_SCOPE)}\nIt is shown this once.\n")
    except (KeysFileError, OSError) as fault:
        sys.stderr.write(f"cannot make a key in {path}: {fault}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
