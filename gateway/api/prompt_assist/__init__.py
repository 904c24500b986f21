"""The dialect of the prompt-assist service: `use_enhancer` and no `model`."""
