"""Seeds by counter: no state to keep, no order of events to depend on."""

import hashlib


def derived_seed(study_seed: int, purpose: str, *counters: int) -> int:
    """A seed in [0, 2^31) that depends on every argument and on nothing else."""
    text = "/".join(str(part) for part in (study_seed, purpose, *counters))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
