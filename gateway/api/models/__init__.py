"""Models into and out of workers' memory, on demand."""
