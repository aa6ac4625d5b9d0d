"""The conversation: what is said, by rules or by an LLM, whatever face shows it."""
