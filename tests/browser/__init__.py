"""The page in a real browser. Skipped where there is no Chromium; `make test-browser` runs these alone."""
