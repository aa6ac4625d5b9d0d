"""The reader that needs no LLM."""
