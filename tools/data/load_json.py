"""JSON and JSON lines to rows."""

import json
import re
from contextlib import suppress
from typing import Any

from tools.data.table import Parsed, Row, columns_of
from trainers.errors import InputError

SPLIT_NAMES = {"train": "train", "test": "test"} | dict.fromkeys(
    ("validation", "valid", "val", "dev", "eval", "evaluation"), "validation"
)


def parse_jsonl(text: str, name: str, param: str) -> Parsed:
    """One object a line, blank lines left out; a file of objects written otherwise (over several lines, with commas
    between them) is read too, with a note. InputError names the first line that is no object."""
    rows: list[Row] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            if not rows and (objects := _objects(text)):
                return Parsed(columns_of(objects), objects, notes=("its objects do not stand one a line",))
            rule = f"every line of {name} must be a JSON object; line {number} is not: {_reason(error)}."
            quotes = "JSON has double quotes: write the rows by json.dumps, not by str or print."
            hint = quotes if line.lstrip().startswith("{'") else "Mend or remove that line."
            raise InputError(param, rule, hint, code="broken_jsonl") from error
        if not isinstance(value, dict):
            rule = f"every line of {name} must be a JSON object; line {number} holds {_kind(value)}."
            raise InputError(param, rule, 'Write rows such as {"text": "...", "label": "..."}.', code="broken_jsonl")
        rows.append(value)
    return Parsed(columns_of(rows), rows)


def parse_json(text: str, name: str, param: str) -> Parsed:
    """Rows of a JSON document, in one of these shapes:

    an array of objects (or of strings: column `text`); an object with one such array; an object of columns, each a
    list of equal length; an object of splits (train, validation, test), each an array; `{INTENT: [{"data": [{"text":
    ...}, ...]}, ...]}` as the SNIPS sets have it (columns text, label); and pandas' to_json with orient columns, index
    or split.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        if objects := _objects(text):
            return Parsed(columns_of(objects), objects, notes=("its objects stand one after another",))
        rule = f"{name} must be valid JSON; it is not: {_reason(error)}."
        hint = "Mend the file, or write one object a line as .jsonl."
        raise InputError(param, rule, hint, code="broken_json") from error
    if isinstance(value, dict):
        return _from_object(value, name, param)
    rows = _rows(value, name, param)
    return Parsed(columns_of(rows), rows)


def _from_object(value: dict[str, object], name: str, param: str) -> Parsed:
    if (frame := _from_pandas(value)) is not None:
        return frame
    lists = {key: items for key, items in value.items() if isinstance(items, list)}
    if lists and len(lists) == len(value) and all(_is_snips(items) for items in lists.values()):
        rows: list[Row] = [
            {"text": "".join(str(part["text"]) for part in item["data"]).strip(), "label": intent}
            for intent, items in lists.items()
            for item in items
        ]
        return Parsed(("text", "label"), rows, notes=("text is the joined segments, label is the intent's key",))
    if len(lists) > 1 and "train" in lists and set(lists) <= set(SPLIT_NAMES):
        splits = {SPLIT_NAMES[key]: _rows(items, name, param) for key, items in lists.items()}
        train = splits.pop("train")
        return Parsed(columns_of(train), train, splits, (f"holds the splits {', '.join(lists)}",))
    if len(lists) > 1 and len(lists) == len(value) and len({len(items) for items in lists.values()}) == 1:
        rows = [dict(zip(lists, cells, strict=True)) for cells in zip(*lists.values(), strict=True)]
        return Parsed(tuple(lists), rows, notes=("an object of columns",))
    if len(lists) == 1:
        key, items = next(iter(lists.items()))
        rows = _rows(items, name, param)
        return Parsed(columns_of(rows), rows, notes=(f"rows are the list under {key!r}",))
    rule = f"{name} must hold one list of rows; its object has {len(lists)} lists ({', '.join(lists) or 'none'})."
    raise InputError(param, rule, "Write an array of objects.", code="broken_json")


def _from_pandas(value: dict[str, object]) -> Parsed | None:
    """A data frame as pandas writes it; None for anything else."""
    columns: Any = value.get("columns")
    data: Any = value.get("data")
    if set(value) <= {"columns", "index", "data"} and isinstance(columns, list) and isinstance((data or [0])[0], list):
        rows: list[Row] = [dict(zip(map(str, columns), cells, strict=False)) for cells in data]
        return Parsed(columns_of(rows), rows, notes=("a data frame (orient split)",))
    records = list(value.values())
    if not records or not all(isinstance(record, dict) for record in records):
        return None
    frames = [dict(record) for record in records if isinstance(record, dict)]
    if all(frame.keys() == frames[0].keys() for frame in frames):
        if all(key.isdigit() for key in value):
            return Parsed(columns_of(frames), frames, notes=("a data frame (orient index)",))
        rows = [{name: frame[key] for name, frame in zip(value, frames, strict=True)} for key in frames[0]]
        return Parsed(tuple(value), rows, notes=("a data frame (orient columns)",))
    return None


def _objects(text: str) -> list[Row]:
    """Objects that stand one after another, with white space or commas between them; none where anything else does."""
    decoder, rows, at = json.JSONDecoder(), list[Row](), 0
    with suppress(ValueError, RecursionError):
        while (match := re.compile(r"[\s,]*").match(text, at)) and match.end() < len(text):
            value, at = decoder.raw_decode(text, match.end())
            if not isinstance(value, dict):
                return []
            rows.append(value)
        return rows
    return []


def _is_snips(items: list[object]) -> bool:
    return bool(items) and all(
        isinstance(item, dict)
        and isinstance(item.get("data"), list)
        and all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in item["data"])
        for item in items
    )


def _rows(value: object, name: str, param: str) -> list[Row]:
    if not isinstance(value, list):
        rule = f"{name} must hold an array of objects; it holds {_kind(value)}."
        raise InputError(param, rule, "Write an array of objects.", code="broken_json")
    if value and all(isinstance(item, str) for item in value):
        return [{"text": item} for item in value]
    for number, item in enumerate(value, 1):
        if not isinstance(item, dict):
            rule = f"every row of {name} must be an object; row {number} is {_kind(item)}."
            raise InputError(param, rule, 'Write rows such as {"text": "...", "label": "..."}.', code="broken_json")
    if not value:
        raise InputError(param, f"the file must have rows; {name} holds an empty list.", "Add rows.", code="empty_file")
    return value


def _kind(value: object) -> str:
    names = {list: "an array", dict: "an object", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        where = f"line {error.lineno}, column {error.colno}" if error.lineno > 1 else f"column {error.colno}"
        return f"{error.msg} at {where}"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
