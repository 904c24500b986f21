"""`python -m benchmarks [NAME …]`: measure and write docs/benchmarks.md (only when all were measured)."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
from pathlib import Path

from benchmarks import cluster, enhancer, events, fleet, hostile, joining, latency, memory, refusal, signing, throughput

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
PARTS = {
    "latency": ("What gateway and bus add to a picture", latency),
    "throughput": ("Sharing work among workers", throughput),
    "fleet": ("What one core carries", fleet),
    "joining": ("Workers that come and go", joining),
    "cluster": ("When a server of the bus ends", cluster),
    "events": ("From a step to its event at the client", events),
    "hostile": ("Clients that mean harm, and the others", hostile),
    "refusal": ("A full queue says so", refusal),
    "enhancer": ("Better prompts from the model that comes along", enhancer),
    "signing": ("What the signature of origin costs", signing),
    "memory": ("Memory at rest", memory),
}
HEAD = """# Benchmarks

Written by `make bench`. Everything is durable (`sync_interval: always`); gateway, nats-server, workers and client share
the cores of one machine. The engine draws noise at a fixed pace, so that only Easel is measured. Figures of one run on
one machine: compare the differences and ratios, not the absolute values.

"""


async def main(names: list[str]) -> None:
    """Measure what is named, or everything."""
    page = HEAD + f"Machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}.\n"
    for name in names or PARTS:
        title, part = PARTS[name]
        section = f"\n## {title}\n\n{(part.__doc__ or '').strip()}\n\n{await part.measure()}\n"
        print(section, flush=True)
        page += section
    if not names:
        PAGE.write_text(page)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
