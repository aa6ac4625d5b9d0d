"""A study's process that is killed leaves no exporter behind, and what was stored by then is exported."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from agent.study.nouns import TrialState
from agent.study.store import Store

pytest.importorskip("tensorboard", reason="pip install 'tunewright[tensorboard]'")

LAB = Path(__file__).parents[1] / "study_lab.py"

STUDY = """
import importlib.util, sys
from pathlib import Path
from tests.fakes.scripted_executor import ScriptedExecutor
from agent.settings import Settings, Watching
from agent.study.store import Store
from agent.report.watching import watched

spec = importlib.util.spec_from_file_location("study_lab", sys.argv[1])
lab = importlib.util.module_from_spec(spec)
spec.loader.exec_module(lab)
home = Path(sys.argv[2])
settings = Settings(home=home, roots=(home,), watching=Watching.model_validate({"export": {"tensorboard": True}}))
with Store.open(settings.database) as store:
    study = store.create_study(lab.plan(trials=50))
    with watched(lab.Shout(), study, store, settings) as everyone:
        lab.run(store, "1", ScriptedExecutor(lab.objective, seconds=lambda spec: 0.2), observer=everyone)
"""


def test_a_killed_study_leaves_no_exporter_behind(tmp_path):
    """It sees the end of its standard input, exports the rest and ends."""
    study = subprocess.Popen([sys.executable, "-c", STUDY, str(LAB), str(tmp_path)], stdout=subprocess.PIPE, text=True)
    complete = 0
    while complete < 3:
        line = study.stdout.readline()
        assert line, "the study ended early"
        complete += "trial_complete" in line
    exporters = psutil.Process(study.pid).children()
    study.kill()
    study.wait()
    assert len(exporters) == 1
    assert psutil.wait_procs(exporters, timeout=30)[1] == []
    with Store.open(tmp_path / "tunewright.db") as store:
        over = [t for t in store.trials("1") if t.state is TrialState.COMPLETE]
    (directory,) = (tmp_path / "tensorboard").iterdir()
    exported = [f.read_bytes() for f in directory.glob("trial-*/*")]
    assert sum(b"validation/accuracy" in content for content in exported) == len(over)
