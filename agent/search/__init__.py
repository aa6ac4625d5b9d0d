"""Proposers: where the next configurations come from."""
