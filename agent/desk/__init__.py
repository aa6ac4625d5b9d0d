"""The desk: the typed verbs behind chat, HTTP, MCP, web page and Python, and the process that works off the queue."""
