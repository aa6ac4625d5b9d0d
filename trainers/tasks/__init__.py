"""What each task gives to training, looked up here and nowhere else. Importable without torch."""

from trainers.spec import Task
from trainers.tasks.classification import Classification
from trainers.tasks.preference import Preference
from trainers.tasks.sft import Sft
from trainers.tasks.trainer import TaskTrainer

TASKS: dict[Task, TaskTrainer] = {
    Task.CLASSIFICATION: Classification(),
    Task.SFT: Sft(),
    Task.PREFERENCE: Preference(),
}
