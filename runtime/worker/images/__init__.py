"""Jobs that draw: the engine protocol, the handler that runs one, and picture encoding (the only door to Pillow)."""
