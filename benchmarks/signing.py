"""What the signed statement of origin costs a picture, next to encoding it: processor time of one thread, and bytes."""

from __future__ import annotations

import tempfile
import time

import numpy as np
from PIL import Image

from benchmarks.figures import median, milliseconds, table
from contracts.images import ImageFormat
from runtime.worker.images.encoding import encode_image
from runtime.worker.images.provenance import PictureSigner, ProvenanceSettings, make_signer
from tests.support import builders

SIDES = {"0.3 MB": 320, "1.5 MB": 704, "3.2 MB": 1024}
"""Side in pixels of a picture of noise whose PNG has about that size."""
ROUNDS = 30


async def measure() -> str:
    """For each size and format, the median of some rounds."""
    with tempfile.TemporaryDirectory() as folder:
        signer = make_signer(ProvenanceSettings(provenance="on", data_dir=folder))
    if signer is None:
        raise AssertionError("switched on, so there is one")
    rows = [
        [f"{name} as PNG", form.value, *_row(side, form, signer)]
        for name, side in SIDES.items()
        for form in ImageFormat
    ]
    return table(["picture", "format", "encoding, ms", "signing, ms", "added bytes"], rows)


def _row(side: int, form: ImageFormat, signer: PictureSigner) -> list[str]:
    noise = np.random.default_rng(side).integers(0, 256, (side, side, 3), dtype=np.uint8)
    image, request = Image.fromarray(noise), builders.generate_image(width=side, height=side, output_format=form)
    encoding, signing, added = [], [], 0
    for _ in range(ROUNDS):
        started = time.thread_time()
        plain = encode_image(image, request, 0)
        encoded = time.thread_time()
        signed = signer.sign(plain, form.content_type, request)
        signing.append(time.thread_time() - encoded)
        encoding.append(encoded - started)
        added = len(signed) - len(plain)
    return [milliseconds(median(encoding)), milliseconds(median(signing)), str(added)]
