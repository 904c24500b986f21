"""The device's own HTTP server: `/generate` for the picker, a part of the Stable Diffusion web UI's API, `/health`."""
