"""What the columns of a table could be: by usual names first, then by what their cells hold."""

from dataclasses import dataclass, field

from tools.data import column_names as names
from tools.data.table import SAMPLE_ROWS, Table, as_list
from tools.data.votes import Votes
from trainers.errors import TunewrightError
from trainers.spec import Columns, Task


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
    columns: Columns
    evidence: dict[str, str] = field(default_factory=dict)
    context: str | None = None
    votes: Votes | None = None
    """Where annotators' votes choose between two responses; there is no chosen and no rejected column then."""


def label_columns(table: Table, *others: str) -> list[str]:
    """Columns that have a usual name of the label and values like one."""
    columns = tuple(c for c in table.without(*others) if could_be_label(table, c))
    return names.by_role(columns, names.LABEL)


def message_columns(table: Table) -> list[str]:
    """Columns whose cells are lists of turns, usual names first."""
    turns = [c for c in table.columns if any(_is_turns(row.get(c)) for row in table.rows[:5])]
    return names.by_role(tuple(turns), names.MESSAGES) or turns


def texts_by_content(table: Table, *others: str | None) -> list[str]:
    """Columns of free text."""
    return [c for c in table.without(*others) if _is_free_text(table.cells(c))]


def named_column(
    table: Table, column: str | None, role: list[list[str]], what: str, others: tuple[str | None, ...]
) -> tuple[str | None, str]:
    """(the column of a role, why), (None, "") without one; Undecided where several have its names."""
    if column:
        return column, "given by the user"
    hits = names.by_role(table.without(*others), role)
    if len(hits) > 1:
        raise which_column(table, what, hits, hits[0])
    return (hits[0], f"named like a {what}") if hits else (None, "")


def which_column(table: Table, what: str, possible: list[str], suggestion: str) -> Undecided:
    """The question which of the possible columns holds `what`."""
    question = f"Which column of {table.source.name} holds the {what}: {listed(possible)}?"
    return Undecided(f"data.columns.{what}", question, suggestion)


def context_column(table: Table, prompt: str, *others: str | None) -> str | None:
    """The column that belongs below the prompt, as Alpaca's `input` does; None without one that has text."""
    if names.folded(prompt) not in ("instruction", "question", "prompt"):
        return None
    columns = (c for c in table.without(prompt, *others) if names.folded(c) in names.CONTEXT)
    return next((c for c in columns if table.mean_words(c) > 0), None)


def could_be_label(table: Table, column: str) -> bool:
    """Short single values that repeat: at most half as many as rows, and 40 characters on average.

    A column with a label's name is looked at as a whole: thousands of classes hardly repeat in the first rows.
    """
    cells = table.cells(column, len(table.rows) if names.by_role((column,), names.LABEL) else SAMPLE_ROWS)
    if not cells or any(isinstance(c, list | dict) for c in cells):
        return False
    distinct = len({str(c) for c in cells})
    mean_chars = sum(len(str(c)) for c in cells) / len(cells)
    return distinct <= max(2, len(cells) / 2) and mean_chars <= 40


def _is_turns(value: object) -> bool:
    first = next(iter(as_list(value) or ()), None)
    return isinstance(first, dict) and not {"content", "value"}.isdisjoint(first)


def _is_free_text(cells: list[object]) -> bool:
    """Strings of three words or more on average, more than half of them different."""
    texts = [c for c in cells if isinstance(c, str)]
    if not texts or len(texts) < 0.9 * len(cells):
        return False
    return len(set(texts)) > len(texts) / 2 and sum(len(t.split()) for t in texts) >= 3 * len(texts)


def listed(columns: tuple[str, ...] | list[str]) -> str:
    """Names in a sentence, twelve at most."""
    first = ", ".join(columns[:12])
    return first if len(columns) <= 12 else f"{first} and {len(columns) - 12} more"


def has_pair(table: Table) -> bool:
    """Whether some column is named like a prompt and another like its completion."""
    return all(names.by_role(table.columns, role) for role in (names.PROMPT, names.COMPLETION))
