"""What a task needs lies in the `tasks/` folders and `tasks.py`: nothing else asks which task it is."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"\bTask\.[A-Z]+\b")

FOLDERS = ("trainers/tasks/", "evals/tasks/", "tools/data/tasks/", "agent/request/tasks.py")
ENUM = "trainers/spec.py"
READERS = {
    "agent/request/rules/intents.py": "words such as 'sft' in a question ask for no new study",
    "agent/faces/http/openai/drafts.py": "OpenAI's methods, dpo and supervised, stand for tasks",
}
"""Readers of requests, where words mean a task, with the reason."""


def test_no_other_file_names_a_task() -> None:
    """A new task cannot be forgotten in an `else`, for there is none."""
    found = {
        str(file.relative_to(ROOT))
        for folder in ("agent", "tools", "evals", "trainers", "prompts")
        for file in (ROOT / folder).rglob("*.py")
        if NAMED.search(file.read_text(encoding="utf-8"))
    }
    assert {name for name in found if not name.startswith(FOLDERS)} == {ENUM, *READERS}


def test_each_task_has_an_entry_in_each_table() -> None:
    """A task that one table lacks would fail only where it is used."""
    from agent.request.rules.vocabulary import WORDS
    from agent.request.tasks import TASKS as REQUESTS
    from evals.tasks import TASKS as JUDGES
    from tools.data.tasks import TASKS as ROWS
    from trainers.spec import TERMS, Task
    from trainers.tasks import TASKS as TRAINERS

    for table in (REQUESTS, WORDS.tasks, JUDGES, ROWS, TERMS, TRAINERS):
        assert set(table) == set(Task)
    for table in (ROWS, TRAINERS):
        assert all(entry.task is task for task, entry in table.items())
