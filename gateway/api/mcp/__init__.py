"""Tools for language models: the Model Context Protocol at `/mcp`, and OpenAI's form of the same tool."""
