"""From a file's bytes to text: which encoding it is in, or why it is not text."""

import codecs
import re

from trainers.errors import InputError

_MAGIC = {
    b"\x1f\x8b": "a gzip file",
    b"PK\x03\x04": "a zip (or xlsx, docx) file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"\x28\xb5\x2f\xfd": "a zstd file",
    b"%PDF": "a PDF",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"SQLite format 3": "a SQLite database",
    b"\x7fELF": "a program",
    b"\xd0\xcf\x11\xe0": "an old Office file",
    b"version https://git-lfs": "a Git LFS pointer, not the data (run git lfs pull)",
}
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
MAX_HIGH_SHARE = 0.3
"""Of the letters of Western European text far fewer lie outside ASCII; above this the encoding is another one."""


def decode(raw: bytes, name: str, param: str) -> tuple[str, tuple[str, ...]]:
    """(text, notes): by byte-order mark, else UTF-8, else CESU-8 or cp1252 with a note. InputError for other files.

    cp1252 is taken only for bytes that read as Western European text in it; a file that is UTF-8 but for a few broken
    bytes is refused with the line of the first one, since any guess would garble the rest.
    """
    if kind := next((kind for magic, kind in _MAGIC.items() if raw.startswith(magic)), None):
        raise InputError(param, f"a text table is needed; {name} is {kind}.", "Unpack or convert it.", code="binary")
    bom = next((encoding for mark, encoding in _BOMS if raw.startswith(mark)), None) or _utf16_without_mark(raw)
    try:
        text = raw.decode(bom or "utf-8")
        notes: tuple[str, ...] = () if bom in (None, "utf-8-sig") else (f"read as {bom}",)
    except UnicodeDecodeError as error:
        if bom:
            raise _wrong(param, f"{name} starts like {bom} but is not: {error.reason}.") from error
        text, notes = _western(raw, error, name, param)
    _check_text(text, name, param)
    return text, notes


def _utf16_without_mark(raw: bytes) -> str | None:
    """The byte order where almost every second byte is zero, as in ASCII text saved as UTF-16."""
    head = raw[:4000]
    for offset, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        zeros, others = head[offset::2].count(0), head[1 - offset :: 2].count(0)
        if len(head) >= 8 and zeros > 0.8 * (len(head) // 2) and others == 0:
            return encoding
    return None


def _western(raw: bytes, error: UnicodeDecodeError, name: str, param: str) -> tuple[str, tuple[str, ...]]:
    line = raw.count(b"\n", 0, error.start) + 1
    where = f"byte 0x{raw[error.start]:02x} on line {line}"
    if b"\0" in raw:
        raise InputError(param, f"a text table is needed; {name} is binary ({where}).", "Convert it.", code="binary")
    if (text := _cesu8(raw)) is not None:
        return text, (f"read as CESU-8: characters such as emoji are written as surrogate pairs ({where})",)
    lenient = raw.decode("utf-8", "replace")
    broken = lenient.count("\ufffd")
    if len(re.findall(r"[^\x00-\x7f\ufffd]", lenient)) > broken:
        raise _wrong(param, f"{name} is UTF-8 but for {broken} broken places, the first being {where}.")
    high = len(re.findall(rb"[\x80-\xff]", raw))
    letters = len(re.findall(rb"[A-Za-z]", raw))
    try:
        text = raw.decode("cp1252")
    except UnicodeDecodeError:
        raise _wrong(param, f"{name} is neither UTF-8 nor cp1252 ({where}).") from error
    if high > MAX_HIGH_SHARE * (high + letters):
        raise _wrong(param, f"{name} is not UTF-8 ({where}) and does not read as Western European text.")
    return text, (f"not UTF-8 ({where}): read as cp1252 (latin-1)",)


def _cesu8(raw: bytes) -> str | None:
    """UTF-8 in which characters beyond U+FFFF are two encoded surrogates, as some Java programs write it."""
    try:
        return raw.decode("utf-8", "surrogatepass").encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        return None


def _check_text(text: str, name: str, param: str) -> None:
    controls = re.findall(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]", text)
    if "\0" in text or len(controls) > 0.02 * len(text):
        rule = f"a text table is needed; {name} is binary (it holds control characters)."
        raise InputError(param, rule, "Convert it to csv or jsonl.", code="binary")
    if re.match(r"\s*<(!doctype|html|\?xml)", text, re.IGNORECASE):
        rule = f"a text table is needed; {name} is a web page or XML."
        raise InputError(param, rule, "Download the file itself (its raw form).", code="unknown_format")
    if not text.strip():
        rule = f"the file must have rows; {name} holds only white space."
        raise InputError(param, rule, "Add rows, or give another file.", code="empty_file")


def _wrong(param: str, rule: str) -> InputError:
    return InputError(param, f"the file must be UTF-8; {rule}", "Convert it to UTF-8.", code="encoding")
