"""Programs for building Easel; nothing that it runs with."""
