"""HTTP routes and MCP tools, from the running objects."""


def pages() -> dict[str, list[str]]:
    """File name to lines."""
    return {}
