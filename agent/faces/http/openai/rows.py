"""Rows in OpenAI's training formats, brought into ours where they differ; what cannot be followed is refused."""

import json
from pathlib import Path
from typing import Any

from agent.errors import InputError

PAIR = ("input", "preferred_output", "non_preferred_output")
MAX_LINE_BYTES = 16 * 1024 * 1024
CONVERTED = "converted.jsonl"


def converted(path: Path) -> Path | None:
    """A copy of the JSON lines in `path` in our form, beside it; None where every row is in it already.

    Raises InputError naming the first line that cannot be used.
    """
    target = path.with_name(CONVERTED)
    changed = False
    with path.open("rb") as source, target.open("x", encoding="utf-8") as out:
        number = 0
        while line := source.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(line) > MAX_LINE_BYTES:
                raise _broken(number, f"has more than {MAX_LINE_BYTES:,} bytes")
            if not line.strip():
                continue
            row = _parsed(line, number)
            ours = row_of(row, number)
            changed = changed or ours is not row
            try:
                out.write(json.dumps(ours, ensure_ascii=False) + "\n")
            except UnicodeEncodeError as error:
                raise _broken(number, "holds half a character (a lone surrogate)") from error
        if number == 0:
            raise InputError("file", "the file has no rows.", "Write one JSON object a line.")
    if changed:
        return target
    target.unlink()
    return None


def row_of(row: dict[str, Any], number: int) -> dict[str, Any]:
    """A row in our form; the very same object where it is in it already."""
    if all(name in row for name in PAIR):
        before = _turns(row["input"].get("messages") if isinstance(row["input"], dict) else None, number)
        preferred, other = _turns(row[PAIR[1]], number), _turns(row[PAIR[2]], number)
        return {"chosen": [*before, *preferred], "rejected": [*before, *other]}
    if any(name in row for name in PAIR[1:]):
        raise _broken(number, f"a preference row needs {', '.join(PAIR)}")
    if isinstance(row.get("messages"), list):
        for turn in row["messages"]:
            if isinstance(turn, dict) and turn.get("weight", 1) not in (0, 1):
                raise _broken(number, "a message's weight must be 0 (not learnt) or 1")
        turns = _turns(row["messages"], number)
        return row if turns == row["messages"] else {**row, "messages": turns}
    return row


def _turns(messages: object, number: int) -> list[Any]:
    """Turns whose content is text; parts of text are joined. What is no text stays, for the data check to name."""
    if not isinstance(messages, list) or not messages:
        raise _broken(number, "messages must be a list with at least one turn")
    turns = []
    for turn in messages:
        if isinstance(turn, dict) and isinstance(parts := turn.get("content"), list):
            if any(not isinstance(part, dict) or part.get("type") != "text" for part in parts):
                raise _broken(number, "only text can be learnt; a turn holds something else")
            turn = {**turn, "content": "".join(str(part.get("text", "")) for part in parts)}
        turns.append(turn)
    return turns


def _parsed(line: bytes, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _broken(number, "is not valid JSON") from error
    if not isinstance(row, dict):
        raise _broken(number, "must be a JSON object")
    return row


def _broken(number: int, why: str) -> InputError:
    return InputError("file", f"line {number}: {why}.", "Mend that line and upload again.", code="invalid_file")
