"""The picker's dialect: `POST /generate` with `mode`, as the Pi edge speaks it too."""
