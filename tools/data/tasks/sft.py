"""Rows of supervised fine-tuning: a prompt and its completion, a conversation, or one text."""

from tools.data import column_names as names
from tools.data.columns import (
    Detected,
    Undecided,
    context_column,
    has_pair,
    label_columns,
    listed,
    message_columns,
    named_column,
    texts_by_content,
)
from tools.data.table import Row, Table, as_list
from tools.data.tasks.rows import NO_TOOLS, Flaw, TaskRows, is_blank, not_text, prompt_with_context, turns_of
from trainers.errors import InputError
from trainers.spec import Columns, Task


def _by_columns(wish: Columns) -> str | None:
    """A completion or a conversation, unless there is a label too."""
    own = (wish.messages or wish.completion) and not wish.label
    return "a completion or messages column was named" if own else None


def _by_table(table: Table) -> str | None:
    """Conversations, a prompt and a completion without a clear label, or one column of texts."""
    if message_columns(table):
        return "the rows hold conversations"
    if has_pair(table):
        folded = [names.folded(column) for column in label_columns(table)]
        strong = any(name in names.LABEL[0] and name != "target" for name in folded)
        return None if strong else f"the rows have a prompt and a completion ({listed(table.columns)})"
    alone = len(table.columns) == 1 and names.by_role(table.columns, names.TEXT[:3])
    return "the rows have a text and nothing else" if alone else None


def _columns(table: Table, wish: Columns) -> Detected:
    """Conversations first, then a text that was named, then prompt and completion, then the only free text."""
    in_turns = [] if wish.prompt or wish.completion or wish.text or has_pair(table) else message_columns(table)
    if wish.messages or in_turns:
        column = wish.messages or in_turns[0]
        why = "given by the user" if wish.messages else "holds lists of turns"
        return Detected(Task.SFT, Columns(messages=column), {"messages": why})
    if wish.text:
        return Detected(Task.SFT, Columns(text=wish.text), {"text": "given by the user"})
    completion, completion_why = named_column(table, wish.completion, names.COMPLETION, "completion", (wish.prompt,))
    prompt, prompt_why = named_column(table, wish.prompt, names.PROMPT, "prompt", (completion,))
    if completion and prompt:
        context = context_column(table, prompt, completion)
        joined = {"context": f"{context} is appended to the prompt"} if context else {}
        evidence = {"prompt": prompt_why, "completion": completion_why, **joined}
        return Detected(Task.SFT, Columns(prompt=prompt, completion=completion), evidence, context)
    texts = texts_by_content(table)
    if own := next(iter(names.by_role(tuple(texts), names.MESSAGES)), None):
        rule = f"must hold lists of turns; {own!r} of {table.source.name} holds other text."
        raise InputError(
            "data.columns.messages", rule, 'Write [{"role": ..., "content": ...}, ...], or name the columns.'
        )
    if not (wish.prompt or wish.completion) and len(texts) == 1:
        why = "the only column with free text: all of it is learnt"
        return Detected(Task.SFT, Columns(text=texts[0]), {"text": why})
    role = "completion" if prompt else "prompt"
    left = [c for c in texts if c not in (prompt, completion)] or list(table.without(prompt))
    question = f"Which column of {table.source.name} holds the {role}? Its columns: {listed(table.columns)}."
    raise Undecided(f"data.columns.{role}", question, left[0] if left else None)


def _canonical(row: Row, detected: Detected) -> Row | Flaw:
    """The row in the form that its columns have."""
    columns = detected.columns
    if columns.messages:
        return _conversation(row, columns.messages)
    for role in ("text",) if columns.text else ("prompt", "completion"):
        if is_blank(cell := row.get(column := str(getattr(columns, role)))) or cell == []:
            return Flaw(f"every row needs a {role}; column {column!r} is empty")
    if columns.text:
        return not_text("text", columns.text, row[columns.text]) or {"text": str(row[columns.text])}
    prompt, completion = row[str(columns.prompt)], row[str(columns.completion)]
    if _is_turns(prompt) or _is_turns(completion):
        return _in_turns(prompt, completion)
    flaw = not_text("prompt", columns.prompt, prompt) or not_text("completion", columns.completion, completion)
    return flaw or {"prompt": prompt_with_context(row, detected), "completion": str(completion)}


def _conversation(row: Row, column: str) -> Row | Flaw:
    """A conversation of which some answer is learnt."""
    messages = turns_of(row.get(column))
    if isinstance(messages, Flaw):
        return messages
    answers = [message for message in messages if message["role"] == "assistant"]
    if not answers:
        return Flaw("every conversation needs a turn of the assistant; there is none")
    if not any(answer.get("weight", 1) and answer["content"].strip() for answer in answers):
        return Flaw("every conversation needs an answer to learn; all are empty or of weight 0")
    if media := next((name for name in ("images", "videos", "audios", "image") if row.get(name)), None):
        rule = f"only text can be learnt; the rows have a column {media!r} beside their messages"
        return Flaw(rule, "Leave those conversations out.", "not_text")
    if row.get("tools"):
        return Flaw("tools are not supported; a row names some", NO_TOOLS, "tool_calls")
    return {"messages": messages}


def _is_turns(cell: object) -> bool:
    return isinstance((as_list(cell) or [None])[0], dict)


def _in_turns(prompt: object, completion: object) -> Row | Flaw:
    """Prompt and completion as turns: one conversation, of which the completion's answers are learnt."""
    before = turns_of(prompt if _is_turns(prompt) else [{"role": "user", "content": prompt}])
    after = turns_of(completion if _is_turns(completion) else [{"role": "assistant", "content": completion}])
    if isinstance(before, Flaw):
        return before
    if isinstance(after, Flaw):
        return after
    if not any(turn["role"] == "assistant" for turn in after):
        return Flaw("every completion needs a turn of the assistant; there is none")
    context = [turn | {"weight": 0} if turn["role"] == "assistant" else turn for turn in before]
    return {"messages": [*context, *after]}


SFT = TaskRows(task=Task.SFT, by_columns=_by_columns, by_table=_by_table, columns=_columns, canonical=_canonical)
"""`{"prompt", "completion"}`, `{"messages": [{"role", "content"}, ...]}` or `{"text"}`."""
