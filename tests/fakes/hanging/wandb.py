"""A client of a tracker that never answers; put this folder on PYTHONPATH and it stands in for Weights & Biases."""

import time


class Settings:
    """Takes anything."""

    def __init__(self, **settings):
        """Nothing is kept."""


def init(**given):
    """Hangs, and prints where a study's own output goes."""
    print("this must not get into the output of a study", flush=True)
    time.sleep(3600)
