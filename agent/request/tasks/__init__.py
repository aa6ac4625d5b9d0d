"""How requests for each task are completed, looked up here and nowhere else."""

from agent.request.tasks.classification import ClassificationRequest
from agent.request.tasks.preference import PreferenceRequest
from agent.request.tasks.request import TaskRequest
from agent.request.tasks.sft import SftRequest
from trainers.spec import Task

TASKS: dict[Task, TaskRequest] = {
    Task.PREFERENCE: PreferenceRequest(),
    Task.CLASSIFICATION: ClassificationRequest(),
    Task.SFT: SftRequest(),
}
"""In the order in which their own fields, and words, say the task."""

TASK_OF_ROLE: dict[str, Task] = {role: task for task, kind in TASKS.items() for role in kind.columns}
"""Roles of columns that only one task has."""
