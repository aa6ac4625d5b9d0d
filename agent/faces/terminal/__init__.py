"""Talking about studies: one conversation, by rules or with an LLM, behind terminal, web page and HTTP."""
