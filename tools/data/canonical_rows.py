"""From table rows to the canonical rows that trainers and evals read (`trainers.spec.TrainSpec`)."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from tools.data.columns import Detected, RowKind
from tools.data.table import Row
from trainers.errors import InputError

ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "assistant": "assistant",
    "model": "assistant",
    "system": "system",
    "tool": "tool",
    "function": "tool",
}
"""ShareGPT's and OpenAI's names of who speaks."""


class LeftOut(Enum):
    """Why a sound row says nothing that could be learnt, and is dropped."""

    TIE = "the votes tie"
    SAME = "chosen and rejected are the same"


@dataclass(frozen=True)
class Canonical:
    """Rows in canonical form, labels still as names; and what was left out."""

    rows: list[Row]
    notes: tuple[str, ...] = ()


def canonical_rows(rows: list[Row], detected: Detected, param: str) -> Canonical:
    """Canonical rows in the given order; those that say nothing are dropped and counted in the notes.

    InputError, with count and first row, where a needed cell is missing, and where no row is left.
    """
    convert: Callable[[Row, Detected], Row | str | LeftOut] = {
        RowKind.TEXT_LABEL: _text_label,
        RowKind.PROMPT_COMPLETION: _prompt_completion,
        RowKind.MESSAGES: _messages,
        RowKind.TEXT: _text,
        RowKind.PREFERENCE: _preference,
        RowKind.VOTES: _by_votes,
    }[detected.kind]
    kept: list[Row] = []
    problems: dict[str, list[int]] = {}
    dropped: Counter[LeftOut] = Counter()
    for number, row in enumerate(rows, 1):
        converted = convert(row, detected)
        if isinstance(converted, LeftOut):
            dropped[converted] += 1
        elif isinstance(converted, str):
            problems.setdefault(converted, []).append(number)
        else:
            kept.append(converted)
    for problem, numbers in problems.items():
        rule = f"{problem} in {len(numbers):,} of {len(rows):,} rows, first in row {numbers[0]:,}."
        raise InputError(param, rule, "Fill in or remove those rows.", code="missing_cells")
    counted = [f"{n:,} of {len(rows):,} rows dropped: {why.value}" for why, n in dropped.items()]
    if rows and not kept:
        raise InputError(param, f"no row is left: {'; '.join(counted)}.", "Give other data.", code="too_few_rows")
    return Canonical(kept, tuple(f"{param}: {count}" for count in counted))


def label_name(value: object) -> str:
    """A class's name: `1`, `1.0` and `"1"` are one class; booleans are `true` and `false`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _text_label(row: Row, detected: Detected) -> Row | str:
    text, label = row.get(str(detected.columns.text)), row.get(str(detected.columns.label))
    if label is None or (isinstance(label, str) and not label.strip()) or label != label:  # NaN is not itself
        return f"every row needs a label; column {detected.columns.label!r} is empty"
    if isinstance(label, list | dict):
        return f"a label must be one value (multi-label data is not supported); {detected.columns.label!r} is a list"
    if _blank(text):
        return f"every row needs a text; column {detected.columns.text!r} is empty"
    return {"text": _string(text), "label": label_name(label)}


def _prompt_completion(row: Row, detected: Detected) -> Row | str:
    prompt, completion = row.get(str(detected.columns.prompt)), row.get(str(detected.columns.completion))
    if _blank(prompt):
        return f"every row needs a prompt; column {detected.columns.prompt!r} is empty"
    if _blank(completion):
        return f"every row needs a completion; column {detected.columns.completion!r} is empty"
    return {"prompt": _with_context(row, detected), "completion": _string(completion)}


def _messages(row: Row, detected: Detected) -> Row | str:
    turns = row.get(str(detected.columns.messages))
    messages = _turns(turns)
    if isinstance(messages, str):
        return messages
    if not any(message["role"] == "assistant" for message in messages):
        return "every conversation needs a turn of the assistant; there is none"
    return {"messages": messages}


def _turns(turns: object) -> list[dict[str, str]] | str:
    if not isinstance(turns, list) or not turns:
        return "every row needs a list of messages; it is empty or no list"
    messages = []
    for turn in turns:
        if not isinstance(turn, dict):
            return "a message must be an object with role and content; it is something else"
        who, content = turn.get("role", turn.get("from")), turn.get("content", turn.get("value"))
        role = ROLES.get(str(who).casefold())
        if role is None:
            return f"a message's role must be system, user, assistant or tool; it is {who!r}"
        if not isinstance(content, str):
            return "a message's content must be text; it is something else"
        messages.append({"role": role, "content": content})
    return messages


def _text(row: Row, detected: Detected) -> Row | str:
    text = row.get(str(detected.columns.text))
    if _blank(text):
        return f"every row needs a text; column {detected.columns.text!r} is empty"
    return {"text": _string(text)}


def _preference(row: Row, detected: Detected) -> Row | str | LeftOut:
    return _unlike(row, detected, str(detected.columns.chosen), str(detected.columns.rejected))


def _by_votes(row: Row, detected: Detected) -> Row | str | LeftOut:
    votes = detected.votes
    if votes is None or (winner := votes.winner(row)) == 0:
        return LeftOut.TIE
    order = (votes.first, votes.second) if winner == 1 else (votes.second, votes.first)
    return _unlike(row, detected, *order)


def _unlike(row: Row, detected: Detected, chosen_column: str, rejected_column: str) -> Row | str | LeftOut:
    """The pair, unless its answers are the same: it states no preference, and its loss is a constant."""
    pair = _pair(row, detected, chosen_column, rejected_column)
    if isinstance(pair, str) or str(pair["chosen"]).strip() != str(pair["rejected"]).strip():
        return pair
    return LeftOut.SAME


def _pair(row: Row, detected: Detected, chosen_column: str, rejected_column: str) -> Row | str:
    chosen, rejected = row.get(chosen_column), row.get(rejected_column)
    prompt = _with_context(row, detected) if detected.columns.prompt else ""
    if isinstance(chosen, list) and isinstance(rejected, list):
        return _conversations(chosen, rejected)
    if detected.columns.prompt and not prompt.strip():
        return f"every row needs a prompt; column {detected.columns.prompt!r} is empty"
    if chosen is None or rejected is None or (_blank(chosen) and _blank(rejected)):
        return f"every row needs a chosen and a rejected answer; {chosen_column!r} or {rejected_column!r} is empty"
    return _split_dialogue(prompt, _string(chosen), _string(rejected))


def _conversations(chosen: list[object], rejected: list[object]) -> Row | str:
    """Pairs of conversations with one answer each, equal up to it (UltraFeedback)."""
    good, bad = _turns(chosen), _turns(rejected)
    if isinstance(good, str) or isinstance(bad, str):
        return good if isinstance(good, str) else str(bad)
    if good[:-1] != bad[:-1] or {good[-1]["role"], bad[-1]["role"]} != {"assistant"}:
        return "chosen and rejected must be the same conversation up to the last answer; they differ before it"
    if sum(message["role"] == "assistant" for message in good) > 1:
        return "preference pairs of several turns are not supported; the conversation has several answers"
    prompt = "\n\n".join(message["content"] for message in good[:-1])
    return {"prompt": prompt, "chosen": good[-1]["content"], "rejected": bad[-1]["content"]}


def _split_dialogue(prompt: str, chosen: str, rejected: str) -> Row:
    """The pair; without a prompt, whole dialogues in Anthropic's `Human:` / `Assistant:` form are cut before the last
    answer."""
    mark = "\n\nAssistant:"
    (head, found, good), (other, _, bad) = chosen.rpartition(mark), rejected.rpartition(mark)
    if not prompt and found and head == other:
        return {"prompt": head + mark, "chosen": good, "rejected": bad}
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


def _with_context(row: Row, detected: Detected) -> str:
    prompt = row.get(str(detected.columns.prompt))
    context = row.get(detected.context) if detected.context else None
    text = "" if prompt is None else _string(prompt)
    return text if _blank(context) else f"{text}\n\n{_string(context)}"


def _blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip()) or value != value


def _string(value: object) -> str:
    return value if isinstance(value, str) else str(value)
