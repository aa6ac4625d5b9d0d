"""Which column is what, and which task the data is for: by usual names first, then by what the cells hold.

Columns the user named are taken as they are or refused; nothing similar is put in their place. What stays open after
names and content becomes a question (`Undecided`), never a guess.
"""

import difflib
from dataclasses import dataclass, field
from enum import StrEnum

from tools.data import column_names as names
from tools.data.table import Row, Table
from tools.data.votes import Votes, find_votes
from trainers.errors import InputError, TunewrightError
from trainers.spec import Columns, Task

SAMPLE_ROWS = 2000


class RowKind(StrEnum):
    """The canonical form that rows are brought into."""

    TEXT_LABEL = "text_label"  # {"text", "label"}
    PROMPT_COMPLETION = "prompt_completion"  # {"prompt", "completion"}
    MESSAGES = "messages"  # {"messages": [{"role", "content"}, ...]}
    TEXT = "text"  # {"text"}
    PREFERENCE = "preference"  # {"prompt", "chosen", "rejected"}
    VOTES = "votes"  # as PREFERENCE, chosen by the votes of annotators


class Undecided(TunewrightError):
    """The data does not say which column (or task) is meant; only the user can."""

    code = "undecided"
    exit_code = 3

    def __init__(self, field: str, question: str, suggestion: str | None = None) -> None:
        self.field, self.question, self.suggestion = field, question, suggestion
        super().__init__(f"{question} Suggestion: {suggestion}." if suggestion else question)


@dataclass(frozen=True)
class Detected:
    """What the columns are. `evidence` says for each role why; `context` is a column appended to the prompt."""

    task: Task
    kind: RowKind
    columns: Columns
    evidence: dict[str, str] = field(default_factory=dict)
    context: str | None = None
    votes: Votes | None = None


def detect_columns(table: Table, task: Task | None, given: Columns) -> Detected:
    """Task, columns and row kind of a table. Cost: one pass over at most 2,000 rows.

    Raises InputError for a given column that the table lacks (with near names), or where the columns cannot serve
    the task; Undecided where more than one reading is left.
    """
    _check_given(table, given)
    if task is None:
        task, why = _infer_task(table, given)
    else:
        why = "given by the user"
    detect = {Task.CLASSIFICATION: _classification, Task.SFT: _sft, Task.PREFERENCE: _preference}[task]
    found = detect(table, given)
    _check_apart(found.columns)
    evidence = {"task": why, **found.evidence}
    return Detected(task, found.kind, found.columns, evidence, found.context, found.votes)


def _check_given(table: Table, given: Columns) -> None:
    for role, column in given:
        if column is None or column in table.columns:
            continue
        folded = {c.casefold(): c for c in table.columns}
        near = difflib.get_close_matches(column.casefold(), list(folded), n=3, cutoff=0.6)
        hint = f"Did you mean {' or '.join(folded[n] for n in near)}?" if near else f"Columns: {_list(table.columns)}."
        rule = f"the column must be in {table.source.name}; it has no column {column!r}"
        raise InputError(
            f"data.columns.{role}", f"{rule} (it has {_list(table.columns)}).", hint, code="unknown_column"
        )


def _check_apart(columns: Columns) -> None:
    roles: dict[str, str] = {}
    for role, column in columns:
        if column is not None and (other := roles.setdefault(column, role)) != role:
            rule = f"{other} and {role} must be different columns; both are {column!r}."
            raise InputError(f"data.columns.{role}", rule, f"Name the {role} column.", code="same_column")


def _infer_task(table: Table, given: Columns) -> tuple[Task, str]:
    if given.chosen or given.rejected:
        return Task.PREFERENCE, "a chosen or rejected column was named"
    if given.label:
        return Task.CLASSIFICATION, "a label column was named"
    if given.messages or given.completion:
        return Task.SFT, "a completion or messages column was named"
    columns = table.columns
    if names.named(columns, names.CHOSEN) and names.named(columns, names.REJECTED):
        return Task.PREFERENCE, "the rows have a chosen and a rejected text"
    if find_votes(table):
        return Task.PREFERENCE, "the rows have two responses and a vote"
    if _message_columns(table):
        return Task.SFT, "the rows hold conversations"
    pair = _prompt_hits(table) and names.named(columns, names.COMPLETION)
    label = _label_hits(table, ())
    strong = [c for c in label if names.folded(c) in names.LABEL[0] and names.folded(c) != "target"]
    if pair and not strong:
        return Task.SFT, f"the rows have a prompt and a completion ({_list(columns)})"
    if label and not pair and (names.named(columns, names.TEXT) or _texts_by_content(table, (label[0],))):
        return Task.CLASSIFICATION, "the rows have a text and a label with few values"
    if len(columns) == 1 and names.named(columns, names.TEXT[:3]):
        return Task.SFT, "the rows have a text and nothing else"
    question = f"Is {table.source.name} for classification, sft or preference tuning? Its columns: {_list(columns)}."
    raise Undecided("task", question, "classification" if label else None)


def _classification(table: Table, given: Columns) -> Detected:
    label, label_why = (given.label, "given by the user") if given.label else _find_label(table, given)
    if given.text:
        text, text_why = given.text, "given by the user"
    elif given.prompt:
        text, text_why = given.prompt, "given by the user as the prompt"
    else:
        text, text_why = _find_text(table, label)
    columns = Columns(text=text, label=label)
    return Detected(Task.CLASSIFICATION, RowKind.TEXT_LABEL, columns, {"text": text_why, "label": label_why})


def _find_label(table: Table, given: Columns) -> tuple[str, str]:
    taken = tuple(c for c in (given.text, given.prompt) if c)
    hits = _label_hits(table, taken)
    if len(hits) > 1 and (same := _same_classes(table, hits)):
        return same, f"named like a label; {_list(hits)} name the same classes"
    if len(hits) == 1:
        return hits[0], f"named like a label, {_n_distinct(table, hits[0])} values"
    few = [c for c in table.columns if c not in taken and _could_be_label(table, c)]
    if len(few) == 1 and not hits:
        return few[0], f"the only column with few, short values ({_n_distinct(table, few[0])})"
    if not (hits or few):
        rule = f"classification needs a column whose values repeat; {_no_labels(table, taken)}."
        raise InputError("data.columns.label", rule, "Name the label column, or choose another task.")
    question = f"Which column of {table.source.name} holds the label: {_list(hits or few)}?"
    raise Undecided("data.columns.label", question, (hits or few)[0])


def _no_labels(table: Table, taken: tuple[str, ...]) -> str:
    """Why no column of the table can be the label: the one that is named like it, or the columns there are."""
    for column in names.named(tuple(c for c in table.columns if c not in taken), names.LABEL):
        cells = _cells(table, column, len(table.rows))
        if not cells:
            return f"column {column!r} of {table.source.name} is empty"
        if not any(isinstance(c, list | dict) for c in cells):
            return f"{column!r} has {len({str(c) for c in cells}):,} different values in {len(cells):,} rows"
    return f"{table.source.name} has {_list(table.columns)}"


def _label_hits(table: Table, taken: tuple[str, ...]) -> list[str]:
    columns = tuple(c for c in table.columns if c not in taken and _could_be_label(table, c))
    return names.named(columns, names.LABEL)


def _same_classes(table: Table, hits: list[str]) -> str | None:
    """Of columns that name the same classes (such as label 3 and label_text "happy") the one with words."""
    rows = table.rows[:SAMPLE_ROWS]
    joint = len({tuple(str(row.get(c)) for c in hits) for row in rows})
    if any(len({str(row.get(c)) for row in rows}) != joint for c in hits):
        return None
    return max(hits, key=lambda c: (names.folded(c) in names.LABEL_STRINGS, _mean_chars(table, c)))


def _find_text(table: Table, label: str) -> tuple[str, str]:
    others = tuple(c for c in table.columns if c != label)
    hits = names.named(others, names.TEXT)
    if len(hits) == 1 and _mean_words(table, hits[0]) > 0:
        return hits[0], f"named like a text, {_mean_words(table, hits[0]):.0f} words on average"
    long = hits or _texts_by_content(table, (label,))
    if len(long) == 1:
        return long[0], f"the only column with free text ({_mean_words(table, long[0]):.0f} words on average)"
    if not long:
        rule = f"classification needs a column of texts; {table.source.name} has {_list(table.columns)}"
        raise InputError("data.columns.text", rule + ".", "Name the text column.")
    question = f"Which column of {table.source.name} holds the text: {_list(long)}?"
    raise Undecided("data.columns.text", question, max(long, key=lambda c: _mean_words(table, c)))


def _sft(table: Table, given: Columns) -> Detected:
    if given.messages or (not (given.prompt or given.completion or given.text) and _message_columns(table)):
        column = given.messages or _message_columns(table)[0]
        why = "given by the user" if given.messages else "holds lists of turns"
        return Detected(Task.SFT, RowKind.MESSAGES, Columns(messages=column), {"messages": why})
    if given.text:
        return Detected(Task.SFT, RowKind.TEXT, Columns(text=given.text), {"text": "given by the user"})
    completion, completion_why = _one(table, given.completion, names.COMPLETION, "completion", (given.prompt,))
    prompt, prompt_why = _one(table, given.prompt, names.PROMPT, "prompt", (completion,))
    if completion and prompt:
        context = _context(table, prompt, completion)
        joined = {"context": f"{context} is appended to the prompt"} if context else {}
        evidence = {"prompt": prompt_why, "completion": completion_why, **joined}
        columns = Columns(prompt=prompt, completion=completion)
        return Detected(Task.SFT, RowKind.PROMPT_COMPLETION, columns, evidence, context)
    texts = _texts_by_content(table, ())
    if not (given.prompt or given.completion) and len(texts) == 1:
        why = "the only column with free text: all of it is learnt"
        return Detected(Task.SFT, RowKind.TEXT, Columns(text=texts[0]), {"text": why})
    role = "completion" if prompt else "prompt"
    left = [c for c in texts if c not in (prompt, completion)] or [c for c in table.columns if c not in (prompt,)]
    question = f"Which column of {table.source.name} holds the {role}? Its columns: {_list(table.columns)}."
    raise Undecided(f"data.columns.{role}", question, left[0] if left else None)


def _prompt_hits(table: Table) -> list[str]:
    return names.named(table.columns, names.PROMPT)


def _one(
    table: Table, given: str | None, role: tuple[tuple[str, ...], ...], what: str, taken: tuple[str | None, ...]
) -> tuple[str | None, str]:
    if given:
        return given, "given by the user"
    hits = names.named(tuple(c for c in table.columns if c not in taken), role)
    if len(hits) > 1:
        question = f"Which column of {table.source.name} holds the {what}: {_list(hits)}?"
        raise Undecided(f"data.columns.{what}", question, hits[0])
    return (hits[0], f"named like a {what}") if hits else (None, "")


def _context(table: Table, prompt: str, *others: str | None) -> str | None:
    if names.folded(prompt) not in ("instruction", "question", "prompt"):
        return None
    columns = [c for c in table.columns if c != prompt and c not in others and names.folded(c) in names.CONTEXT]
    return next((c for c in columns if _mean_words(table, c) > 0), None)


def _preference(table: Table, given: Columns) -> Detected:
    votes = None if given.chosen or given.rejected else find_votes(table)
    chosen, chosen_why = _one(table, given.chosen, names.CHOSEN, "chosen", (given.rejected,))
    rejected, rejected_why = _one(table, given.rejected, names.REJECTED, "rejected", (chosen,))
    if not votes and not (chosen and rejected):
        _check_paired(table)
        missing = "rejected" if chosen else "chosen"
        texts = [c for c in _texts_by_content(table, ()) if c not in (chosen, rejected, given.prompt)]
        question = f"Which column of {table.source.name} holds the {missing} answer? It has {_list(table.columns)}."
        raise Undecided(f"data.columns.{missing}", question, texts[-1] if texts else None)
    taken = (votes.first, votes.second) if votes else (chosen, rejected)
    prompt, prompt_why = _one(table, given.prompt, names.PROMPT, "prompt", taken)
    context = _context(table, prompt, *taken) if prompt else None
    evidence = {"prompt": prompt_why if prompt else "no such column: the prompt is empty"}
    if context:
        evidence["context"] = f"{context} is appended to the prompt"
    if votes and not (chosen and rejected):
        evidence |= {"chosen": votes.why, "rejected": votes.why}
        return Detected(Task.PREFERENCE, RowKind.VOTES, Columns(prompt=prompt), evidence, context, votes)
    evidence |= {"chosen": chosen_why, "rejected": rejected_why}
    columns = Columns(prompt=prompt, chosen=chosen, rejected=rejected)
    return Detected(Task.PREFERENCE, RowKind.PREFERENCE, columns, evidence, context)


def _check_paired(table: Table) -> None:
    """One completion and a verdict on it a row is KTO's other format, which has no pairs to choose from."""
    answers = names.named(table.columns, names.COMPLETION)
    verdicts = [c for c in _label_hits(table, tuple(answers)) if len({str(v) for v in _cells(table, c)}) <= 2]
    if answers and verdicts:
        rule = f"preference tuning (kto too) takes a chosen and a rejected answer a row; {table.source.name} has "
        hint = "Pair good and bad answers to one prompt, or use SFT on the good ones."
        raise InputError("data.columns.chosen", f"{rule}{answers[0]} and {verdicts[0]}.", hint, code="unpaired")


def _message_columns(table: Table) -> list[str]:
    """Columns whose cells are lists of turns, usual names first."""
    turns = [c for c in table.columns if any(_is_turns(row.get(c)) for row in table.rows[:5])]
    return names.named(tuple(turns), names.MESSAGES) or turns


def _is_turns(value: object) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and isinstance(value[0], dict)
        and bool({"content", "value"} & set(value[0]))
    )


def _cells(table: Table, column: str, n_rows: int = SAMPLE_ROWS) -> list[object]:
    return [value for row in table.rows[:n_rows] if (value := row.get(column)) is not None and value != ""]


def _n_distinct(table: Table, column: str) -> int:
    return len({str(value) for value in _all(table.rows, column)})


def _all(rows: list[Row], column: str) -> list[object]:
    return [row.get(column) for row in rows]


def _could_be_label(table: Table, column: str) -> bool:
    """Short single values that repeat: at most half as many as rows, and 40 characters on average.

    A column with a label's name is looked at as a whole: thousands of classes hardly repeat in the first rows.
    """
    cells = _cells(table, column, len(table.rows) if names.named((column,), names.LABEL) else SAMPLE_ROWS)
    if not cells or any(isinstance(c, list | dict) for c in cells):
        return False
    distinct = len({str(c) for c in cells})
    mean_chars = sum(len(str(c)) for c in cells) / len(cells)
    return distinct <= max(2, len(cells) / 2) and mean_chars <= 40


def _texts_by_content(table: Table, taken: tuple[str, ...]) -> list[str]:
    return [c for c in table.columns if c not in taken and _is_free_text(_cells(table, c))]


def _is_free_text(cells: list[object]) -> bool:
    """Strings of three words or more on average, more than half of them different."""
    texts = [c for c in cells if isinstance(c, str)]
    if not texts or len(texts) < 0.9 * len(cells):
        return False
    return len(set(texts)) > len(texts) / 2 and sum(len(t.split()) for t in texts) >= 3 * len(texts)


def _mean_words(table: Table, column: str) -> float:
    texts = [c for c in _cells(table, column) if isinstance(c, str)]
    return sum(len(t.split()) for t in texts) / max(1, len(texts))


def _mean_chars(table: Table, column: str) -> float:
    cells = _cells(table, column)
    return sum(len(str(c)) for c in cells) / max(1, len(cells))


def _list(columns: tuple[str, ...] | list[str]) -> str:
    shown = ", ".join(columns[:12])
    return shown if len(columns) <= 12 else f"{shown} and {len(columns) - 12} more"
