"""Requests for classification."""

from agent.request.tasks.request import TaskRequest
from trainers.spec import Task


class ClassificationRequest(TaskRequest):
    """One of several classes for each text."""

    task = Task.CLASSIFICATION
    columns = ("label",)
    model = "a text classifier"
    pipeline = "text-classification"
