"""Rows of echo: one text, in a column named echo."""

from tools.data.columns import Detected
from tools.data.tasks.rows import TaskRows, is_blank
from trainers.spec import Columns, Task


def by_table(table):
    """A column named echo."""
    return "the rows have an echo" if "echo" in table.columns else None


def columns(table, given):
    """The column named echo."""
    return Detected(Task.ECHO, Columns(text="echo"), {"text": "named echo"})


def canonical(row, detected):
    """The text."""
    return "every row needs an echo" if is_blank(row["echo"]) else {"text": str(row["echo"])}


ECHO = TaskRows(task=Task.ECHO, by_columns=lambda given: None, by_table=by_table, columns=columns, canonical=canonical)
"""`{"text"}`."""
