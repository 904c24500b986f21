"""What the page at `/` needs beyond the dialects: its files, and one stream of all that it shows."""
