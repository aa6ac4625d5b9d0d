"""Runs in a house that has the task echo: plans it, searches with scripted scores, and carries out a real attempt."""

import json
import sys
from pathlib import Path

import study_lab as lab

from agent.request.plan import Plan
from agent.run.schedule import attempt_spec
from agent.study.store import Store
from tests.fakes.scripted_executor import ScriptedExecutor
from tools.data.prepare_data import prepare
from tools.data.profile_data import profile
from tools.worker import Training, carry_out
from trainers.spec import Data


def main() -> None:
    """Print what came of the plan in sys.argv[1] as one JSON object."""
    here = Path.cwd()
    printed = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    plan = Plan.model_validate({name: value for name, value in printed.items() if name in Plan.model_fields})
    with Store.open(here / "home" / "tunewright.db") as store:
        study = store.create_study(plan)
        executor = ScriptedExecutor(lambda config, seed: config["repeats"] / 10)
        outcome = lab.run(store, study.study_id, executor, lab.RandomProposer(plan.space))
        trials = store.trials(study.study_id)
    profiled = profile(
        Data(train=str(here / "rows.csv")), None, roots=(here,), tokenizer_file=plan.base.tokenizer_file,
        tokenizer_name="t", max_positions=64, constraints=plan.spec.constraints, seed=plan.spec.seed,
    )  # fmt: skip
    prepare(profiled, study.directory / "data")
    ended = carry_out(attempt_spec(study, trials[0], "1-0-9", True, None), Training(), lambda event: None)
    said = {
        "state": outcome.state,
        "repeats": sorted({trial.config["repeats"] for trial in trials}),
        "task": profiled.profile.task,
        "event": ended.event,
        "metric": ended.validation.metric,
        "score": ended.validation.score,
        "steps": ended.train.steps,
    }
    print(json.dumps(said))


main()
