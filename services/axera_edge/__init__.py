"""The Pi edge: SD 1.5 LCM on an Axera NPU (or the same graphs in ONNX Runtime), alone over HTTP or as a worker.

No torch, diffusers or transformers: NumPy, `tokenizers`, Pillow and one session library.
"""
