"""What each task gives to training, looked up here and nowhere else. Importable without torch."""

from trainers.spec import Task
from trainers.tasks.classification import CLASSIFICATION
from trainers.tasks.preference import PREFERENCE
from trainers.tasks.sft import SFT
from trainers.tasks.trainer import TaskTrainer

TASKS: dict[Task, TaskTrainer] = {
    Task.CLASSIFICATION: CLASSIFICATION,
    Task.SFT: SFT,
    Task.PREFERENCE: PREFERENCE,
}
