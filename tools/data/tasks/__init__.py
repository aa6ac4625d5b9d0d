"""How the rows of each task are read, looked up here and nowhere else."""

from tools.data.tasks.classification import CLASSIFICATION
from tools.data.tasks.preference import PREFERENCE
from tools.data.tasks.rows import TaskRows
from tools.data.tasks.sft import SFT
from trainers.spec import Task

TASKS: dict[Task, TaskRows] = {
    Task.PREFERENCE: PREFERENCE,
    Task.SFT: SFT,
    Task.CLASSIFICATION: CLASSIFICATION,
}
"""In the order in which a table is recognised: the first task that it could be for."""
