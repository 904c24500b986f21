"""The model that comes along: loaded once, because that takes seconds."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from contracts.errors import EaselError
from contracts.prompts import EnhancePrompt, PromptSource
from services.enhancer.checking import keeps_content
from services.enhancer.engines.factory import build_model, lack, model_file
from services.enhancer.engines.language_model import Message, Task
from services.enhancer.settings import EnhancerSettings
from tests.support.embedded_model import embedded_enhancer

pytestmark = [pytest.mark.xdist_group("embedded-model"), pytest.mark.timeout(300)]
PROMPTS = (Path(__file__).parent / "prompts.txt").read_text(encoding="utf-8").splitlines()


async def test_it_writes_what_its_form_allows_keeps_every_word_and_stops_when_told() -> None:
    """One test, one load."""
    async with embedded_enhancer() as enhancer:
        schema = {
            "type": "array",
            "prefixItems": [{"enum": ["up", "down"]}, {"enum": ["7"]}],
            "minItems": 2,
            "maxItems": 2,
        }
        pieces = list[str]()
        task = Task([Message("user", "which way?")], schema, max_tokens=30)
        text = await enhancer.model.write(task, pieces.append)
        answer = msgspec.json.decode(text, type=tuple[str, str])
        assert answer[0] in {"up", "down"}
        assert answer[1] == "7"
        assert "".join(pieces) == text

        sources = Counter[PromptSource]()
        for number, prompt in enumerate(PROMPTS[::17]):
            model, family = (("pocket", "stable-diffusion"), ("", "flux"))[number % 2]
            made = await enhancer.enhance(EnhancePrompt(prompt=prompt, model=model, family=family, timeout_s=120))
            assert keeps_content(prompt, made.prompt), (prompt, made.prompt)
            assert made.prompt.startswith(prompt)
            sources[made.source] += 1
        assert sources[PromptSource.MODEL] > len(PROMPTS[::17]) / 2

        german = await enhancer.enhance(EnhancePrompt(prompt="eine Katze auf dem Dach", timeout_s=120))
        assert german.source is PromptSource.ORIGINAL, "its phrases are English"

        began = threading.Event()
        endless = Task([Message("user", "count")], {"type": "string", "minLength": 4000}, max_tokens=100_000)
        writing = asyncio.create_task(enhancer.model.write(endless, lambda _: began.set()))
        await asyncio.to_thread(began.wait, 60)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        assert await asyncio.wait_for(enhancer.model.write(task), 60), "the thread is free again"


def test_there_are_200_varied_prompts() -> None:
    """The benchmark sends all of them."""
    assert len(set(PROMPTS)) >= 200


def test_what_is_missing_is_said_before_anything_starts(tmp_path: Path) -> None:
    assert model_file().suffix == ".gguf"
    assert "no file" in lack(EnhancerSettings(engine="openvino", model=str(tmp_path / "no.gguf")))
    assert "EASEL_ENHANCER_URL" in lack(EnhancerSettings(engine="http"))
    assert lack(EnhancerSettings(url="http://127.0.0.1:1")) == ""
    with pytest.raises(EaselError, match="no file"):
        build_model(EnhancerSettings(engine="openvino", model=str(tmp_path / "no.gguf")))


async def test_a_file_that_is_no_model_is_refused_by_name(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF\x00\x00\x00\x00junk")
    model = build_model(EnhancerSettings(engine="openvino", model=str(broken)))
    with pytest.raises(EaselError, match=r"broken\.gguf"):
        await model.start()
    await model.close()
