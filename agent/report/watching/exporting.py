"""The study's side of an experiment tracker: starts its process, hears of its troubles, ends it in time."""

import os
import re
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

from agent.report.watching.export_process import ExportJob, Trouble
from agent.settings import TrackerName
from agent.study.nouns import Study, StudyEvent
from tools.child import kill_group

_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL|^TUNEWRIGHT_", re.IGNORECASE)

OWN = {
    "tensorboard": (),
    "mlflow": ("MLFLOW_", "DATABRICKS_"),
    "wandb": ("WANDB_",),
    "trackio": ("TRACKIO_", "HF_"),
}
"""Beginnings of the environment variables that hold a tracker's own keys; nobody else's are passed on."""


class ExportProcess:
    """A `Watcher` (agent/report/watching/watched.py): one tracker, followed by a process of its own."""

    def __init__(self, name: TrackerName, place: bool | str, study: Study, database: Path) -> None:
        self.name = name
        self._troubles: deque[str] = deque(maxlen=20)
        self._off = False
        directory = study.directory / "watch"
        directory.mkdir(parents=True, exist_ok=True)
        with (directory / f"{name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "agent.report.watching.export_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=database.parent,
                env=tracker_environment(name),
                start_new_session=True,
            )
        job = ExportJob(tracker=name, place=place, database=database, study_id=study.study_id, directory=directory)
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(job.model_dump_json().encode() + b"\n")
            self._process.stdin.flush()
        self._reader = threading.Thread(target=self._listen, name=f"watch-{name}", daemon=True)
        self._reader.start()

    def on_event(self, event: StudyEvent) -> None:
        """Nothing: the process reads the store."""

    def troubles(self) -> list[str]:
        """What went wrong since the last call."""
        return [self._troubles.popleft() for _ in range(len(self._troubles))]

    def close(self, until: float) -> None:
        """Have the rest sent, at the latest by `until` (of `time.monotonic`); then it is stopped."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._off = True
            kill_group(self._process, grace_seconds=0.0)
            self._troubles.append("was not done in time at the end and was stopped; what it has is incomplete")
        self._reader.join(1.0)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with suppress(ValueError):
                trouble = Trouble.model_validate_json(line)
                self._troubles.append(trouble.message)
                self._off = self._off or trouble.last
        code = self._process.wait()
        if code != 0 and not self._off:
            self._troubles.append(f"its process ended with {code}; see watch/{self.name}.log in the study's directory")


def tracker_environment(name: TrackerName) -> dict[str, str]:
    """Our environment without keys and tokens, the tracker's own apart."""
    return {k: v for k, v in os.environ.items() if not _SECRET_NAME.search(k) or k.startswith(OWN[name])}
