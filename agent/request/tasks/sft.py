"""Requests for supervised fine-tuning."""

from agent.request.tasks.request import TaskRequest
from trainers.spec import Task


class SftRequest(TaskRequest):
    """A language model that answers as the examples do."""

    task = Task.SFT
    columns = ("completion", "messages")
    model = "a language model fine-tuned on examples (SFT)"
