"""The job routes: submit, look up, follow, cancel, fetch."""
