"""Reading a table of rows from wherever a request points: a local file, a hub data set, or a built-in set.

Everything that can be wrong with a file ends in an InputError that names the rule, the value and the next step.
Nothing is repaired silently: what was decided (encoding, delimiter, format) is in `Table.notes`.
Local files need neither pandas nor `datasets`; 10,000 short csv rows take about 0.1 s.
"""

import difflib
import hashlib
import json
from dataclasses import replace
from pathlib import Path

from tools.data.decode_text import decode
from tools.data.load_csv import parse_csv
from tools.data.load_hub import load_hub
from tools.data.load_json import parse_json, parse_jsonl
from tools.data.stdlib_data import PREFIX, stdlib_rows
from tools.data.table import MAX_ROWS, Parsed, Row, Table, checked, columns_of, table_of
from tools.paths import confined, is_hub_id
from trainers.errors import InputError

FORMATS = {".csv": "csv", ".tsv": "tsv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
MAX_FILE_BYTES = 1024**3
"""All rows are held in memory."""
NEXT_STEP = "Give a csv, tsv, json, jsonl or parquet file, a hub id (owner/name), or stdlib:docstrings."


def load_table(name: str, param: str, roots: tuple[Path, ...], *, seed: int = 0) -> Table:
    """The rows that `name` means: a path inside `roots`, a hub id, or a `stdlib:` name.

    A name that exists as a file, ends in a known extension or starts like a path is a path; another name in the form
    of a hub id is looked up on the hub. `param` is the spec's field for messages; `seed` draws
    the sample of `stdlib:NAME@ROWS`. Raises InputError, and UnsafePath for a path that may not be opened.
    """
    if name.startswith(PREFIX):
        rows = stdlib_rows(name, param, seed)
        return table_of(name, name, "stdlib", Parsed(columns_of(rows), rows))
    if not is_hub_id(name) or Path(name).suffix.lower() in FORMATS or (roots[0] / name).exists():
        return _from_file(name, confined(param, name, roots), param)
    return load_hub(name, param)


def _from_file(name: str, path: Path, param: str) -> Table:
    raw = _read(path, param)
    form, parsed = _parse(path, raw, param)
    if not parsed.rows and not parsed.splits:
        rule = f"the file must have rows; {path.name} has a header and no rows."
        raise InputError(param, rule, "Add rows, or give another file.")
    clean = checked(parsed, param)
    clean = replace(clean, notes=tuple(f"{path.name}: {note}" for note in clean.notes))
    return table_of(name, str(path), form, clean, sha256=hashlib.sha256(raw).hexdigest())


def _read(path: Path, param: str) -> bytes:
    if path.name == "test.jsonl" and path.parent.name == "sealed":
        rule = f"{path} is the sealed test split of a study and is opened by its report only."
        raise InputError(param, rule, "Give the original data.", code="sealed")
    if path.is_dir():
        files = ", ".join(sorted(p.name for p in path.iterdir() if p.suffix.lower() in FORMATS)[:8])
        hint = f"Choose one of its files: {files}." if files else NEXT_STEP
        raise InputError(param, f"a file is needed; {path} is a directory.", hint)
    if not path.exists():
        raise InputError(param, f"the file must exist; there is no {path}.", _nearby(path), code="missing_file")
    if not path.is_file():
        raise InputError(param, f"a regular file is needed; {path} is a device, pipe or socket.", NEXT_STEP)
    if path.suffix.lower() not in FORMATS:
        rule = f"the file's extension must be one of {', '.join(FORMATS)}; got {path.suffix or 'none'!r} ({path.name})."
        hint = CONVERT.get(path.suffix.lower(), "Rename or convert the file.")
        raise InputError(param, rule, hint, code="unknown_format")
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        rule = f"a data file has at most {MAX_FILE_BYTES:,} bytes; {path.name} has {size:,}."
        raise InputError(param, rule, "Take a sample of its rows.")
    if size == 0:
        raise InputError(param, f"the file must have rows; {path} is empty (0 bytes).", NEXT_STEP, code="empty_file")
    try:
        return path.read_bytes()
    except OSError as error:
        rule = f"the file must be readable; {path}: {error.strerror}."
        raise InputError(param, rule, "Check its permissions.") from error


CONVERT = {
    **dict.fromkeys((".gz", ".zst", ".bz2", ".xz", ".zip", ".tar"), "Unpack it first, and name the file inside."),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "Save the sheet as csv."),
    **dict.fromkeys((".arrow", ".feather"), "Write it as parquet: pandas.read_feather(IN).to_parquet(OUT)."),
    ".txt": "Write it as csv or JSON lines, with a name for each column.",
    **dict.fromkeys((".pkl", ".pickle"), "Write it as parquet; files that run code when read are not opened."),
}
"""What to do with kinds of files that are not read."""


def _nearby(path: Path) -> str:
    """The next step for a file that is not there: names like it beside it, never taken by themselves."""
    if not path.parent.is_dir():
        return f"The directory {path.parent} does not exist either; check the path."
    names = sorted(p.name for p in path.parent.iterdir() if p.is_file())[:5000]
    by_case = {name.lower(): name for name in names}
    near = [by_case[n] for n in difflib.get_close_matches(path.name.lower(), list(by_case), n=3, cutoff=0.6)]
    if near:
        return f"Did you mean {' or '.join(near)}?"
    data = [name for name in names if Path(name).suffix.lower() in FORMATS][:8]
    return f"Data files in that directory: {', '.join(data)}." if data else "That directory has no data files."


def _parse(path: Path, raw: bytes, param: str) -> tuple[str, Parsed]:
    """(format, what was read): the extension decides, and content that contradicts it is said or refused."""
    form = FORMATS[path.suffix.lower()]
    if form == "parquet" or raw[:4] == b"PAR1":
        return "parquet", _parquet(path, param)
    text, notes = decode(raw, path.name, param)
    if form in ("csv", "tsv"):
        if text.lstrip().startswith(("{", "[{")) and _is_json(text.lstrip()[:100_000].split("\n", 1)[0]):
            rule = f"a {form} file starts with column names; {path.name} holds JSON."
            raise InputError(param, rule, "Rename it to .json or .jsonl.", code="unknown_format")
        parsed = parse_csv(text, path.name, param, tabs=form == "tsv")
    elif form == "jsonl" and text.lstrip().startswith("["):
        form, notes = "json", (*notes, "read as one JSON array, not as JSON lines")
        parsed = parse_json(text, path.name, param)
    elif form == "jsonl" or _is_jsonl(text):
        notes = notes if form == "jsonl" else (*notes, "read as JSON lines, one object a line")
        form, parsed = "jsonl", parse_jsonl(text, path.name, param)
    else:
        parsed = parse_json(text, path.name, param)
    return form, replace(parsed, notes=(*notes, *parsed.notes))


def _is_jsonl(text: str) -> bool:
    """Whether a .json file is really JSON lines: the first line is a complete object and more follows."""
    first, _, rest = text.strip().partition("\n")
    return bool(rest.strip()) and first.startswith("{") and _is_json(first)


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _parquet(path: Path, param: str) -> Parsed:
    import pyarrow
    import pyarrow.parquet

    try:
        facts = pyarrow.parquet.read_metadata(path)
        size = sum(facts.row_group(i).total_byte_size for i in range(facts.num_row_groups))
        if facts.num_rows > MAX_ROWS or size > MAX_FILE_BYTES:
            rule = f"at most {MAX_ROWS:,} rows and {MAX_FILE_BYTES:,} bytes uncompressed; {path.name} has "
            raise InputError(param, f"{rule}{facts.num_rows:,} rows, {size:,} bytes.", "Take a sample of its rows.")
        rows: list[Row] = pyarrow.parquet.read_table(path, use_threads=False).to_pylist()
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        rule = f"{path.name} must be a parquet file; it cannot be read: {str(error).splitlines()[0]}"
        raise InputError(param, rule, "Write it again, or check that it was copied completely.") from error
    return Parsed(tuple(facts.schema.to_arrow_schema().names), rows)
