"""OpenAI's Images API: what most clients speak."""
