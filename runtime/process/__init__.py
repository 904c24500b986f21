"""The process itself: settings, logs, shutdown. Imports contracts alone."""
