"""Paths and hub ids from outside, checked before anything is opened.

A request, a spec file or a planner LLM may name a path; only what lies inside the allowed roots is ever touched
(`agent.settings.Settings.roots`), and only after symlinks are resolved.
"""

import re
import unicodedata
from pathlib import Path

from trainers.errors import InputError

HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?")
MAX_PATH_CHARS = 4096
SECRET_NAMES = frozenset({".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".netrc", ".pgpass", ".env"})
_BIDI = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class UnsafePath(InputError):
    """A path that may not be opened: outside the allowed roots, or written in a way that hides where it leads."""

    def __init__(self, param: str, rule: str, hint: str) -> None:
        super().__init__(param, rule, hint, code="unsafe_path")


def is_hub_id(name: str) -> bool:
    """Whether `name` has the form of a Hugging Face id: `name` or `owner/name`, no `..`. Touches nothing."""
    return HUB_ID.fullmatch(name) is not None and ".." not in name


def confined(param: str, text: str, roots: tuple[Path, ...]) -> Path:
    """The absolute path that `text` means, symlinks resolved, if it lies inside one of `roots`; else UnsafePath.

    A relative path is taken from the first root. The path need not exist. Refused: anything outside the roots,
    control and direction-changing characters, backslashes, UNC paths, Windows drives, URLs of any scheme, and the
    usual places of credentials. Cost: a few stat calls.
    """
    _check_spelling(param, text)
    try:
        expanded = Path(text).expanduser()
        path = (expanded if expanded.is_absolute() else roots[0] / expanded).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        rule = f"{_quoted(text)} cannot be resolved to a path ({error})."
        raise UnsafePath(param, rule, "Give a path without symlink loops.") from error
    if not any(path.is_relative_to(root.resolve()) for root in roots):
        rule = f"the path must lie inside {', '.join(map(str, roots))}; {_quoted(text)} leads to {path}."
        hint = "Move the file there, start tunewright in its directory, or add that directory to TUNEWRIGHT_ROOTS."
        raise UnsafePath(param, rule, hint)
    if secret := SECRET_NAMES.intersection(path.parts):
        rule = f"{_quoted(text)} lies in {min(secret)}, a place for credentials, and is not opened."
        raise UnsafePath(param, rule, "Copy the data elsewhere.")
    return path


def _check_spelling(param: str, text: str) -> None:
    if not text.strip():
        raise UnsafePath(param, "the path is empty.", "Give the path of a file.")
    if len(text) > MAX_PATH_CHARS:
        raise UnsafePath(param, f"a path has at most {MAX_PATH_CHARS} characters, got {len(text)}.", "Shorten it.")
    bad = next((c for c in text if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in _BIDI), None)
    if bad is not None:
        rule = f"a path must not hold control characters; {_quoted(text)} holds U+{ord(bad):04X}."
        raise UnsafePath(param, rule, "Rename the file.")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", text):
        rule = f"a local path or hub id is needed; {_quoted(text)} is a URL or names a Windows drive."
        raise UnsafePath(param, rule, "Download the file and give its path, or give the hub id (owner/name).")
    if "\\" in text or text.startswith("//"):
        rule = f"a path has single forward slashes; {_quoted(text)} is a Windows or network path."
        raise UnsafePath(param, rule, "Give a local path such as data/train.csv.")


def _quoted(text: str) -> str:
    quoted = repr(text)
    return quoted if len(quoted) <= 200 else quoted[:200] + "...'"
