"""The diffusion service: models by catalogue, drawn by an engine on a device."""
