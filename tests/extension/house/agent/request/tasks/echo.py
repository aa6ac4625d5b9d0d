"""Requests for echo."""

from agent.request.tasks.request import TaskRequest
from trainers.spec import Task


class EchoRequest(TaskRequest):
    """A language model that repeats."""

    task = Task.ECHO
    model = "a language model that repeats"
    words = (r"echo(?:es|ing)?",)
