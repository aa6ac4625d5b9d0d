"""How tunewright is reached: command line, terminal chat, HTTP, MCP, Python."""
