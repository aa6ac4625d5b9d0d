"""Reading a request: draft, rules, LLM reader, resolution, plan."""
