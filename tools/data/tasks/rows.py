"""What a task gives to the reading of data: everything that the folder `tools/data/` needs to know of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from tools.data.columns import Detected
from tools.data.duplicates import normalised, whole_text
from tools.data.lengths import TOKENS_PER_TURN, texts_of
from tools.data.table import Row, Table, as_list
from trainers.spec import Columns, Task

ROLES = {
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("gpt", "chatgpt", "bot", "assistant", "model"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("tool", "function", "function_response", "observation", "ipython"), "tool"),
}
"""ShareGPT's, OpenAI's, Llama's and LLaMA-Factory's names of who speaks."""


@dataclass(frozen=True)
class Flaw:
    """Why a row cannot be used, and what to do about it."""

    rule: str
    hint: str = "Fill in or remove those rows."
    code: str = "missing_cells"


NO_TOOLS = "Put calls into the text of the assistant's turns, or leave those conversations out."


class LeftOut(Enum):
    """Why a sound row says nothing that could be learnt, and is dropped."""

    TIE = "the votes tie"
    SAME = "chosen and rejected are the same"


@dataclass(frozen=True)
class Classes:
    """Class names in index order, training rows of each, and loss weights (empty: all 1)."""

    labels: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    weights: tuple[float, ...] = ()


def _judged_text(row: Row) -> str:
    if isinstance(turns := row.get("messages"), list):
        text = normalised("\n".join(turn["content"] for turn in turns if turn["role"] == "user"))
    else:
        text = normalised(str(row.get("prompt", "")))
    return text if len(text.split()) >= 6 else whole_text(row)


def _length(row: Row, count: Callable[[str], int]) -> int:
    n_turns = len(turns) if isinstance(turns := row.get("messages"), list) else 0
    between = 1 if row.get("prompt") else 0  # the line break between prompt and completion
    return sum(count(text) for text in texts_of(row)) + n_turns * TOKENS_PER_TURN + between + 1


@dataclass(frozen=True, kw_only=True)
class TaskRows:
    """How rows of one task are recognised, brought into canonical form, checked and measured."""

    task: Task
    by_columns: Callable[[Columns], str | None]
    """Why the columns that the user named mean this task; None where they do not."""
    by_table: Callable[[Table], str | None]
    """Why a table without a named task is for this one; None where it is not."""
    columns: Callable[[Table, Columns], Detected]
    """Which column is what. Raises InputError where none can serve, Undecided where the user must say."""
    canonical: Callable[[Row, Detected], Row | Flaw | LeftOut]
    """The canonical row, or what it lacks, or why it says nothing."""
    plausible: Callable[[Table], bool] = lambda table: False
    """Whether this task is the one to suggest for a table that no task recognises."""
    strata: str | None = None
    """Key of canonical rows whose values are kept in equal shares when splits are cut."""
    judged_text: Callable[[Row], str] = _judged_text
    """The part of a canonical row that must not be seen in training, normalised: the input of the model.

    The prompt (or the user's turns) where it has six words or more, since shorter ones are often shared on purpose,
    else the whole row."""
    length: Callable[[Row, Callable[[str], int]], int] = _length
    """Tokens of a whole training example from a count of those of a text. One more ends what is learnt."""
    check: Callable[[list[Row]], None] = lambda rows: None
    """Raises InputError for canonical rows of the train source that cannot be what the task needs."""
    classes: Callable[[dict[str, list[Row]], list[str]], Classes] = lambda splits, notes: Classes()
    """The classes of canonical rows, if the task has any; notes are added to, also on rows that are odd but kept."""


def is_blank(value: object) -> bool:
    """Whether a cell holds nothing: None, white space, or NaN (which is not itself)."""
    return value is None or (isinstance(value, str) and not value.strip()) or value != value


def not_text(role: str, column: str | None, cell: object) -> Flaw | None:
    """What is wrong with a list or an object where a text belongs; None for anything else."""
    if not isinstance(cell, list | dict):
        return None
    kind = "list" if isinstance(cell, list) else "object"
    rule = f"a {role} must be text; column {column!r} holds a {kind}"
    return Flaw(rule, "Write the text itself into that column.", "not_text")


def prompt_with_context(row: Row, detected: Detected) -> str:
    """The prompt, and below an empty line its context where the row has one."""
    prompt = row.get(str(detected.columns.prompt))
    context = row.get(detected.context) if detected.context else None
    text = "" if prompt is None else str(prompt)
    return text if is_blank(context) else f"{text}\n\n{context}"


def turns_of(cell: object) -> list[dict[str, Any]] | Flaw:
    """The turns of a conversation with our names of who speaks, or what is wrong with them.

    A list may stand as JSON or Python text in its cell. Parts of text are joined. An answer of weight 0 (OpenAI's mark
    of a turn that is not to be learnt) keeps that weight.
    """
    turns = as_list(cell)
    if not turns:
        return Flaw("every row needs a list of messages; it is empty or no list")
    messages = []
    for turn in turns:
        message = _message(turn)
        if isinstance(message, Flaw):
            return message
        messages.append(message)
    return messages


def _message(turn: object) -> dict[str, Any] | Flaw:
    if not isinstance(turn, dict):
        return Flaw("a message must be an object with role and content; it is something else")
    who = turn.get("from") if turn.get("role") is None else turn["role"]  # Arrow fills keys that others have with null
    content = turn.get("value") if turn.get("content") is None else turn["content"]
    role = ROLES.get(str(who).casefold())
    if role is None:
        rule = f"a message's role must be system, user, assistant or tool; it is {who!r}"
        return Flaw(rule, "Rename the role.", "bad_role")
    if turn.get("tool_calls") or turn.get("function_call"):
        return Flaw("tool calls are not supported; a message has some", NO_TOOLS, "tool_calls")
    if isinstance(content, list):
        content = _joined(content)
    if isinstance(content, Flaw):
        return content
    if not isinstance(content, str):
        return Flaw("a message's content must be text; it is something else")
    if (weight := turn.get("weight", 1)) not in (0, 1, None):
        rule = f"a message's weight must be 0 (not learnt) or 1; it is {weight!r}"
        return Flaw(rule, "Write 0 or 1.", "bad_weight")
    return {"role": role, "content": content} | ({"weight": 0} if weight == 0 and role == "assistant" else {})


def _joined(parts: list[Any]) -> str | Flaw:
    """The text of a message in parts."""
    kinds = [part.get("type", "text") if isinstance(part, dict) else type(part).__name__ for part in parts]
    if other := next((kind for kind in kinds if kind != "text"), None):
        rule = f"only text can be learnt; a message holds a part of type {str(other)[:40]!r}"
        return Flaw(rule, "Leave those conversations out.", "not_text")
    return "".join(str(part.get("text", "")) for part in parts)
