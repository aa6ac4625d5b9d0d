"""Files of others: what they are, from where, and that nobody changed them."""

import hashlib
import re
from pathlib import Path

VENDOR = Path(__file__).parents[5] / "agent" / "faces" / "http" / "page" / "vendor"


def test_every_vendored_file_is_the_one_that_is_listed():
    """Name, version, licence and sha256 stand in VENDORED.md; the hashes are those of the files."""
    listed = dict(re.findall(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", (VENDOR / "VENDORED.md").read_text(), re.M))
    files = {file.name for file in VENDOR.iterdir()} - {"VENDORED.md"}
    assert files == set(listed)
    for name, digest in listed.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest, name
