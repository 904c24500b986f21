"""Makes folders of ONNX graphs for the Pi edge: small ones in SD 1.5 LCM's shapes, or a model in diffusers format."""
