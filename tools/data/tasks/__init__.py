"""How the rows of each task are read, looked up here and nowhere else."""

from tools.data.tasks.classification import ClassificationRows
from tools.data.tasks.preference import PreferenceRows
from tools.data.tasks.rows import TaskRows
from tools.data.tasks.sft import SftRows
from trainers.spec import Task

TASKS: dict[Task, TaskRows] = {
    Task.PREFERENCE: PreferenceRows(),
    Task.SFT: SftRows(),
    Task.CLASSIFICATION: ClassificationRows(),
}
"""In the order in which a table is recognised: the first task that it could be for."""
