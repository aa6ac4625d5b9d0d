"""Rows of echo: one text, in a column named echo."""

from tools.data.columns import Detected
from tools.data.tasks.rows import TaskRows, as_text, is_blank
from trainers.spec import Columns, Task


class EchoRows(TaskRows):
    """`{"text"}`."""

    task = Task.ECHO

    def named(self, given):
        """No column of its own."""
        return

    def recognised(self, table):
        """A column named echo."""
        return "the rows have an echo" if "echo" in table.columns else None

    def columns(self, table, given):
        """The column named echo."""
        return Detected(self.task, Columns(text="echo"), {"text": "named echo"})

    def canonical(self, row, detected):
        """The text."""
        return "every row needs an echo" if is_blank(row["echo"]) else {"text": as_text(row["echo"])}
