"""The job loop that every service runs: pull into a free slot, execute, settle once. Knows nothing of images."""
