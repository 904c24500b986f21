"""LoRAs as clients ask for them, and the ones that are meant."""

from __future__ import annotations

import re
from collections.abc import Sequence

from contracts.capability import lora_names
from contracts.errors import EaselError, ErrorCode
from contracts.images import MAX_LORA_WEIGHT, MAX_LORAS, Lora, ModelInfo

Given = list[Lora | str] | str | None
"""In a body: objects or words, or all words in one, which is what a form can hold."""
_TAG = re.compile(r"<lora:([^<>]+)>")


def asked_loras(given: Given) -> tuple[Lora, ...]:
    """What a body's `loras` ask for: a word is `name` or `name:weight`, several in one string stand between commas.

    Raises:
        EaselError: INVALID_REQUEST.
    """
    words = given.split(",") if isinstance(given, str) else given or []
    return tuple(_from_word(it.strip()) if isinstance(it, str) else it for it in words)


def _from_word(word: str) -> Lora:
    name, colon, weight = word.rpartition(":")
    if not colon:
        return Lora(word)
    return Lora(name, _weight(weight, word))


def _weight(text: str, word: str) -> float:
    try:
        return float(text)
    except ValueError:
        said = f"{word!r} names no LoRA: it is NAME or NAME:WEIGHT, the weight a number"
        raise EaselError(ErrorCode.INVALID_REQUEST, said, param="loras") from None


def taken_out(prompt: str) -> tuple[str, tuple[Lora, ...]]:
    """The prompt without its `<lora:name:weight>`, and those, as AUTOMATIC1111's web UI reads them.

    Raises:
        EaselError: INVALID_REQUEST, a tag that means something else there than here.
    """
    found = tuple(_from_tag(tag) for tag in _TAG.findall(prompt))
    return (_TAG.sub("", prompt).strip() if found else prompt), found


def _from_tag(tag: str) -> Lora:
    """Its second number is the denoiser's alone; here a LoRA has one weight for all."""
    name, *weights = tag.split(":")
    if len({_weight(it, tag) for it in weights}) > 1:
        said = f"<lora:{tag}> gives text encoder and denoiser weights of their own; here a LoRA has one weight"
        raise EaselError(ErrorCode.INVALID_REQUEST, said, param="loras")
    return Lora(name, _weight(weights[0], tag) if weights else 1.0)


def find_loras(asked: Sequence[Lora], model: ModelInfo) -> tuple[Lora, ...]:
    """By the names that the model's worker has for them.

    Raises:
        EaselError: INVALID_REQUEST; UNSUPPORTED with the names that there are.
    """
    if len(asked) > MAX_LORAS:
        _refuse(f"{len(asked)} LoRAs; a picture takes {MAX_LORAS} at most")
    for lora in asked:
        if not -MAX_LORA_WEIGHT <= lora.weight <= MAX_LORA_WEIGHT:
            limit = f"{-MAX_LORA_WEIGHT:g} … {MAX_LORA_WEIGHT:g}"
            _refuse(f"the weight of the LoRA {lora.name!r} must be {limit}, not {lora.weight:g}")
    found = tuple(Lora(_name(lora.name, model), lora.weight) for lora in asked)
    if len({lora.name for lora in found}) < len(found):
        _refuse(f"a LoRA is named twice: {', '.join(lora.name for lora in found)}")
    return found


def _refuse(said: str) -> None:
    raise EaselError(ErrorCode.INVALID_REQUEST, said, param="loras")


def _name(asked: str, model: ModelInfo) -> str:
    """Its own, or the last part of one in a folder, in any case of letters."""
    if asked in model.loras:
        return asked
    alike = [name for name in model.loras if asked.lower() in (name.lower(), name.rpartition("/")[2].lower())]
    if len(alike) == 1:
        return alike[0]
    have = f"which of {', '.join(alike)}?" if alike else f"there are: {lora_names(model)}"
    raise EaselError(ErrorCode.UNSUPPORTED, f"{model.id} has no LoRA {asked!r}; {have}", param="loras")
