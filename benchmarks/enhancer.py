"""200 prompts through the language model that comes along: what is kept, how often its choice was used, how long.

Each goes once for `pocket` or for FLUX.1, in turn, nothing remembered. "Kept" counts prompts of which every word of
meaning is in the answer, in order.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

from benchmarks.figures import median, milliseconds, percentile, table
from contracts.prompts import EnhancePrompt, PromptSource
from services.enhancer.checking import keeps_content
from tests.support.embedded_model import embedded_enhancer

PROMPTS = (
    (Path(__file__).parent.parent / "tests/services/enhancer/prompts.txt").read_text(encoding="utf-8").splitlines()
)
TARGETS = (("pocket", "stable-diffusion"), ("flux.1-schnell", "flux"))


async def measure() -> str:
    """One after another, as one user would."""
    kept, sources, delays = 0, Counter[PromptSource](), list[float]()
    began = time.perf_counter()
    async with embedded_enhancer() as enhancer:
        ready = time.perf_counter() - began
        for number, prompt in enumerate(PROMPTS):
            model, family = TARGETS[number % len(TARGETS)]
            started = time.perf_counter()
            made = await enhancer.enhance(EnhancePrompt(prompt=prompt, model=model, family=family, timeout_s=120))
            delays.append(time.perf_counter() - started)
            kept += keeps_content(prompt, made.prompt)
            sources[made.source] += 1
    row = [
        str(len(PROMPTS)),
        f"{kept / len(PROMPTS):.0%}",
        *(f"{sources[source] / len(PROMPTS):.0%}" for source in PromptSource),
        milliseconds(median(delays)),
        milliseconds(percentile(delays, 0.99)),
        f"{ready:.1f}",
    ]
    return table(["prompts", "kept", "model", "partial", "original", "p50, ms", "p99, ms", "ready after, s"], [row])
