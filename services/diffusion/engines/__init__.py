"""Engines that draw, behind one protocol (`runtime.worker.images.engine`); only the chosen one is imported."""
