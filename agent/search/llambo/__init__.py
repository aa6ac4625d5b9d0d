"""LLAMBO as published, for comparison."""
