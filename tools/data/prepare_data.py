"""Writing the splits that an approved plan describes: what trials may read, and the sealed test rows."""

import errno
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from tools.data.profile_data import Profiled
from tools.data.table import canonical_jsonl
from trainers.errors import InputError
from trainers.save import sync

SEALED = "sealed"
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Prepared:
    """The files of a study's splits, as canonical JSON lines. Only the report step opens `test_file`."""

    train_file: Path
    validation_file: Path
    test_file: Path


def prepare(profiled: Profiled, directory: Path) -> Prepared:
    """Write train.jsonl, validation.jsonl and sealed/test.jsonl (mode 0600 in a directory of mode 0700).

    Each file appears complete or not at all, and matches the profile's sha256; files that do already are left alone,
    so a second call changes nothing. Raises InputError where the rows are not those of the profile (the data changed
    since the plan), and for a full disk or a directory that cannot be written.
    """
    splits = profiled.profile.splits
    files = Prepared(directory / "train.jsonl", directory / "validation.jsonl", directory / SEALED / "test.jsonl")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        files.test_file.parent.mkdir(mode=0o700, exist_ok=True)
        files.test_file.parent.chmod(0o700)
        for split, path, expected, mode in (
            ("train", files.train_file, splits.train_sha256, 0o644),
            ("validation", files.validation_file, splits.validation_sha256, 0o644),
            ("test", files.test_file, splits.test_sha256, 0o600),
        ):
            content = canonical_jsonl(profiled.rows[split])
            if hashlib.sha256(content).hexdigest() != expected:
                rule = f"the rows of {split} must be those of the plan; their sha256 differs."
                raise InputError(f"data.{split}", rule, "Plan again.", code="data_changed")
            if not is_intact(path, expected):
                _write(path, content, mode)
            path.chmod(mode)
    except OSError as error:
        raise _unwritable(directory, error) from error
    return files


def is_intact(path: Path, sha256: str) -> bool:
    """Whether the file is there and its bytes have this sha256; to be asked before sealed rows are used."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    except FileNotFoundError:
        return False


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write to a temporary file beside it, flush to disk, rename: a crash leaves the old state or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        sync(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync(path.parent)


def _unwritable(directory: Path, error: OSError) -> InputError:
    if error.errno in _NO_SPACE:
        rule = f"the splits must fit on the disk of {directory}; it is full ({error.strerror})."
        return InputError("output", rule, "Free some space, or set TUNEWRIGHT_HOME to another disk.", code="disk_full")
    rule = f"the study's directory must be writable; {directory} is not ({error.strerror})."
    return InputError("output", rule, "Check its permissions, or set TUNEWRIGHT_HOME.", code="unwritable")
