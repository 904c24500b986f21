"""LoRA files: which there are and which models they fit, read from their headers alone, without torch."""
