"""Data read, checked, profiled and split."""
