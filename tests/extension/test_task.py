"""A new task, with a metric and a hyperparameter of its own, is three files and a line or two in six others."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOY = Path(__file__).parent / "house"

START = "from agent.faces.cli.commands import main; main()"
TERMS = 'Terms(metrics=(Metric.ECHOED, Metric.EVAL_LOSS), hyperparameters={"repeats": "echo: how often"})'
EDITS = {
    "trainers/spec.py": {
        '    PREFERENCE = "preference"\n': '    ECHO = "echo"\n',
        '    WIN_RATE = "win_rate"\n': '    ECHOED = "echoed"\n',
        "TERMS: dict[Task, Terms] = {\n": f"    Task.ECHO: {TERMS},\n",
    },
    "trainers/tasks/__init__.py": {
        "import Task\n": "from trainers.tasks.echo import ECHO\n",
        "TASKS: dict[Task, TaskTrainer] = {\n": "    Task.ECHO: ECHO,\n",
    },
    "evals/tasks/__init__.py": {
        "import Task\n": "from evals.tasks import echo\n",
        "TASKS: dict[Task, Judge] = {\n": "    Task.ECHO: echo.judge,\n",
    },
    "tools/data/tasks/__init__.py": {
        "import Task\n": "from tools.data.tasks.echo import ECHO\n",
        "TASKS: dict[Task, TaskRows] = {\n": "    Task.ECHO: ECHO,\n",
    },
    "agent/request/tasks.py": {
        "TASKS: dict[Task, TaskRequest] = {\n": '    Task.ECHO: TaskRequest(model="a language model that repeats"),\n',
    },
    "agent/request/rules/words.json": {'  "tasks": {\n': '    "echo": ["echo(?:es|ing)?"],\n'},
}
"""File to the lines that are added after a line of it."""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the product with the task echo in it."""
    for folder in ("agent", "tools", "evals", "trainers", "prompts"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copytree(TOY, tmp_path, dirs_exist_ok=True)
    for name, lines in EDITS.items():
        text = (tmp_path / name).read_text(encoding="utf-8")
        for after, added in lines.items():
            assert after in text
            text = text.replace(after, after + added, 1)
        (tmp_path / name).write_text(text, encoding="utf-8")
    shutil.copy(ROOT / "tests/agent/study_lab.py", tmp_path)
    (tmp_path / "tests/fakes").mkdir(parents=True)
    shutil.copy(ROOT / "tests/fakes/scripted_executor.py", tmp_path / "tests/fakes")
    return tmp_path


def run(house: Path, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(house), "TUNEWRIGHT_HOME": str(house / "home")}
    done = subprocess.run(
        [sys.executable, *command], cwd=house, env=environment, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_new_task_touches_nine_files() -> None:
    """Three of its own, the table of terms, four dicts and its words."""
    assert len(list(TOY.rglob("*.py"))) + len(EDITS) <= 9


def test_a_new_task_is_planned_searched_trained_and_judged(house: Path) -> None:
    """Nothing else has to know of it: not the planner, the search, the worker or the metrics."""
    (house / "rows.csv").write_text("echo\n" + "".join(f"word {i}\n" for i in range(60)), encoding="utf-8")
    read = json.loads(run(house, "-c", START, "plan", "echo with embedded:tiny-causal on rows.csv", "--json"))
    assert (read["ready"], read["spec"]["task"], read["spec"]["objective"]["metric"]) == (True, "echo", "echoed")
    (house / "spec.yaml").write_text(
        "task: echo\nbase_model: embedded:tiny-causal\ndata: {train: rows.csv}\nbudget: {trials: 6}\n"
        "search: {repeats: {choices: [1, 2]}, epochs: 1}\n",
        encoding="utf-8",
    )
    (house / "plan.json").write_text(run(house, "-c", START, "plan", "spec.yaml", "--json"), encoding="utf-8")
    outcome = json.loads(run(house, str(Path(__file__).parent / "use_echo.py"), "plan.json").splitlines()[-1])
    assert (outcome["state"], outcome["repeats"]) == ("DONE", [1, 2])
    assert (outcome["task"], outcome["event"], outcome["metric"]) == ("echo", "finished", "echoed")
    assert outcome["steps"] >= 1
    assert 0 <= outcome["score"] <= 1
