"""The MCP server: the desk's verbs as tools that answer within seconds, over stdio or streamable HTTP."""
