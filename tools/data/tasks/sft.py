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
from tools.data.table import Row, Table
from tools.data.tasks.rows import TaskRows, as_text, is_blank, prompt_with_context, turns_of
from trainers.spec import Columns, Task


class SftRows(TaskRows):
    """`{"prompt", "completion"}`, `{"messages": [{"role", "content"}, ...]}` or `{"text"}`."""

    task = Task.SFT

    def named(self, given: Columns) -> str | None:
        """A completion or a conversation, unless there is a label too."""
        named = (given.messages or given.completion) and not given.label
        return "a completion or messages column was named" if named else None

    def recognised(self, table: Table) -> str | None:
        """Conversations, a prompt and a completion without a clear label, or one column of texts."""
        if message_columns(table):
            return "the rows hold conversations"
        if has_pair(table):
            folded = [names.folded(column) for column in label_columns(table)]
            strong = any(name in names.LABEL[0] and name != "target" for name in folded)
            return None if strong else f"the rows have a prompt and a completion ({listed(table.columns)})"
        alone = len(table.columns) == 1 and names.named(table.columns, names.TEXT[:3])
        return "the rows have a text and nothing else" if alone else None

    def columns(self, table: Table, given: Columns) -> Detected:
        """Conversations first, then a text that was named, then prompt and completion, then the only free text."""
        if given.messages or (not (given.prompt or given.completion or given.text) and message_columns(table)):
            column = given.messages or message_columns(table)[0]
            why = "given by the user" if given.messages else "holds lists of turns"
            return Detected(self.task, Columns(messages=column), {"messages": why})
        if given.text:
            return Detected(self.task, Columns(text=given.text), {"text": "given by the user"})
        completion, completion_why = named_column(
            table, given.completion, names.COMPLETION, "completion", (given.prompt,)
        )
        prompt, prompt_why = named_column(table, given.prompt, names.PROMPT, "prompt", (completion,))
        if completion and prompt:
            context = context_column(table, prompt, completion)
            joined = {"context": f"{context} is appended to the prompt"} if context else {}
            evidence = {"prompt": prompt_why, "completion": completion_why, **joined}
            columns = Columns(prompt=prompt, completion=completion)
            return Detected(self.task, columns, evidence, context)
        texts = texts_by_content(table)
        if not (given.prompt or given.completion) and len(texts) == 1:
            why = "the only column with free text: all of it is learnt"
            return Detected(self.task, Columns(text=texts[0]), {"text": why})
        role = "completion" if prompt else "prompt"
        left = [c for c in texts if c not in (prompt, completion)] or [c for c in table.columns if c not in (prompt,)]
        question = f"Which column of {table.source.name} holds the {role}? Its columns: {listed(table.columns)}."
        raise Undecided(f"data.columns.{role}", question, left[0] if left else None)

    def canonical(self, row: Row, detected: Detected) -> Row | str:
        """The row in the form that its columns have."""
        if detected.columns.messages:
            return _conversation(row, detected)
        return _text(row, detected) if detected.columns.text else _prompt_completion(row, detected)


def _prompt_completion(row: Row, detected: Detected) -> Row | str:
    prompt, completion = row.get(str(detected.columns.prompt)), row.get(str(detected.columns.completion))
    if is_blank(prompt):
        return f"every row needs a prompt; column {detected.columns.prompt!r} is empty"
    if is_blank(completion):
        return f"every row needs a completion; column {detected.columns.completion!r} is empty"
    return {"prompt": prompt_with_context(row, detected), "completion": as_text(completion)}


def _conversation(row: Row, detected: Detected) -> Row | str:
    turns = row.get(str(detected.columns.messages))
    messages = turns_of(turns)
    if isinstance(messages, str):
        return messages
    if not any(message["role"] == "assistant" for message in messages):
        return "every conversation needs a turn of the assistant; there is none"
    return {"messages": messages}


def _text(row: Row, detected: Detected) -> Row | str:
    text = row.get(str(detected.columns.text))
    if is_blank(text):
        return f"every row needs a text; column {detected.columns.text!r} is empty"
    return {"text": as_text(text)}
