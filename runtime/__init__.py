"""What every process shares: `process` (settings, logs, shutdown) <- `messaging` (bus) <- `worker` (job loop)."""
