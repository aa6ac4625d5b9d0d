"""Labelled requests and the scorer of request readers."""
