"""Configurations proposed by a language model."""
