"""What an operator wants of every picture, between the engine and the client: allowed, described, signed."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image

from contracts.images import GenerateImage, ImageFormat
from runtime.process.safety import EVERY_PROMPT, PromptBlocklist, SafetySettings
from runtime.process.settings import load
from runtime.worker.images.checker import MakeLook, PictureChecker, make_checker
from runtime.worker.images.encoding import encode_image, encode_thumbnail, write_image
from runtime.worker.images.provenance import PictureSigner, ProvenanceSettings, make_signer
from runtime.worker.settings import WorkerSettings


@dataclass(frozen=True)
class Output:
    """Used from any thread."""

    metadata: bool = True
    """Whether the parameters are written into the file."""
    signer: PictureSigner | None = None
    blocklist: PromptBlocklist = EVERY_PROMPT
    checker: PictureChecker | None = None

    def write(self, file: BinaryIO, image: Image.Image, request: GenerateImage, index: int) -> None:
        """Picture `index` of `request` as it leaves. The signature comes last: it covers every byte."""
        if self.signer is None:
            write_image(file, image, request, index, metadata=self.metadata)
            return
        data = encode_image(image, request, index, metadata=self.metadata)
        file.write(self.signer.sign(data, request.output_format.content_type, request))

    def encode(self, image: Image.Image, request: GenerateImage, index: int) -> bytes:
        """What `write` writes."""
        file = io.BytesIO()
        self.write(file, image, request, index)
        return file.getvalue()

    def thumbnail(self, image: Image.Image, request: GenerateImage) -> bytes:
        """A small JPEG of a picture: signed like it, and without its parameters."""
        data = encode_thumbnail(image)
        return data if self.signer is None else self.signer.sign(data, ImageFormat.JPEG.content_type, request)

    def check(self, images: list[Image.Image]) -> None:
        """Return when all may be stored.

        Raises:
            EaselError: as `PictureChecker.check`.
        """
        if self.checker is not None:
            self.checker.check(images)


PLAIN = Output()
"""Parameters in the file, nothing else."""


def make_output(
    worker: WorkerSettings, environ: Mapping[str, str] = os.environ, kinds: Mapping[str, MakeLook] | None = None
) -> Output:
    """As the environment says; `kinds` are the safety checkers that a service adds.

    Raises:
        SettingsError: what is wrong with it.
    """
    safety = load(SafetySettings, environ)
    return Output(
        metadata=worker.metadata,
        signer=make_signer(load(ProvenanceSettings, environ)),
        blocklist=PromptBlocklist.read(safety.prompt_blocklist),
        checker=make_checker(safety, kinds),
    )
