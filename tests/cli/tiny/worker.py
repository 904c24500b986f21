"""Says that it is ready and waits; fails at once when TINY_WORKER_FAILS is set; TINY_WORKER_CHILD gives it a child."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

if __name__ == "__main__":
    if os.environ.get("TINY_WORKER_FAILS"):
        print(json.dumps({"level": "error", "event": "cannot work", "fault": "no model 'nope'"}), file=sys.stderr)
        sys.exit(1)
    if os.environ.get("TINY_WORKER_STUBBORN"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.environ.get("TINY_WORKER_CHILD"):
        subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()", "tiny-grandchild"])
    print(json.dumps({"level": "info", "event": "ready", "worker": os.environ["EASEL_WORKER_NAME"]}), flush=True)
    signal.pause()
