"""Diffusers' pipelines with OpenVINO in the place of the denoiser and the VAE; text encoders stay on torch.

The only door to the library `openvino`.
"""

import sys

# Otherwise OpenVINO tells its makers of every import and conversion. It does without where the package is missing.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None makes an import fail
