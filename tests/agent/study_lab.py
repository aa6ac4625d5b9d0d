"""A tiny study that needs no data, model or training; also the child process that the kill tests kill.

`python study_lab.py HOME STUDY_ID SECONDS_PER_TRIAL [rungs]` runs a study of HOME and writes the event kinds to
stdout; with `rungs` its attempts measure validation losses on the way.
"""

import json
import os
import sys
import time
from pathlib import Path
from random import Random

from agent.request.plan import Plan
from agent.run.loop import run_study
from agent.study.nouns import History, Phase, Proposal, Trial, TrialState
from agent.study.store import Store
from evals.spec import EvalResult, Item
from tests.fakes.scripted_executor import ScriptedExecutor
from tools.base_model import BaseModelFacts
from tools.data.data_profile import DataProfile, LengthProfile, SplitProfile
from tools.open_test import OpenedTest
from trainers.space import CategoricalParameter, FloatParameter, Space
from trainers.spec import Budget, Columns, CurvePoint, Data, Direction, Metric, Objective, Task, TaskSpec

SPACE = Space(
    parameters={
        "learning_rate": FloatParameter(low=1e-5, high=1e-2, log=True, default=1e-4),
        "lora_rank": CategoricalParameter(choices=(4, 8, 16), default=8),
    }
)


def plan(space=SPACE, target=None, metric=Metric.ACCURACY, output=None, seconds_per_trial=None, **budget):
    """A plan that is ready, for a study of `space` under `budget`."""
    spec = TaskSpec(
        task=Task.CLASSIFICATION,
        base_model="none",
        data=Data(train="rows.csv"),
        objective=Objective(metric=metric, direction=metric.direction, target=target),
        budget=Budget(**({"trials": 4} | budget)),
        seed=7,
        output={"dir": output},
    )
    lengths = LengthProfile(tokenizer="none", p50=1, p90=1, p99=1, p995=1, max=1, max_seq_length=8, truncated_share=0.0)
    splits = SplitProfile(
        train=1, validation=1, test=1, how="given", train_sha256="a", validation_sha256="b", test_sha256="c"
    )
    data = DataProfile(
        task=spec.task, sources=(), columns=Columns(text="text"), labels=("yes", "no"), lengths=lengths, splits=splits
    )
    base = BaseModelFacts(name="none", path="none", origin="built here")
    return Plan(
        request="try it",
        spec=spec,
        provenance={},
        base=base,
        data=data,
        space=space,
        estimate={"seconds_per_trial": seconds_per_trial},
    )


def objective(config, seed):
    """Best at learning rate 1e-3, with a little noise by seed."""
    import math

    return 0.9 - 0.1 * abs(math.log10(config.get("learning_rate", 1e-3)) + 3) + 0.001 * Random(seed).random()


def trial(number, config, score=None, *, source="random", rung=None, state=None, mean=None, sd=None, seed=None):
    """A search trial: COMPLETE with a score, PRUNED with a rung, else FAILED unless another state is given."""
    over = TrialState.COMPLETE if score is not None else TrialState.PRUNED if rung else TrialState.FAILED
    return Trial(
        trial_id=f"1-{number}",
        study_id="1",
        number=number,
        phase=Phase.SEARCH,
        state=state or over,
        proposal=Proposal(config=config, source=source, predicted_mean=mean, predicted_sd=sd),
        seed=number if seed is None else seed,
        score=score,
        rung=rung,
    )


def history(*trials, direction=Direction.MAXIMIZE):
    """What a proposer sees of these trials."""
    return History(direction=direction, trials=trials)


def rung_curve(spec):
    """Validation losses at 1/9, 1/3, 2/3 and the end of 120 steps, lower the nearer the learning rate is to 1e-3."""
    import math

    far = abs(math.log10(spec.train.config["learning_rate"]) + 3)
    return [CurvePoint(step=step, eval_loss=far + 1.0 / step) for step in (13, 40, 80, 120)]


class RandomProposer:
    """Samples the space; keeps what it was asked with."""

    name = "random"

    def __init__(self, space=SPACE):
        self.space, self.calls = space, []

    def propose(self, history, n, seed):
        """`n` random configurations."""
        self.calls.append((len(history.trials), n, seed))
        rng = Random(seed)
        return [Proposal(config=self.space.sample(rng), source="random") for _ in range(n)]


class Recorder:
    """Keeps the events it is shown."""

    def __init__(self):
        self.events = []

    def on_event(self, event):
        """Keep it."""
        self.events.append(event)

    def kinds(self):
        """The kinds of the events, in order."""
        return [str(event.kind) for event in self.events]


class Shout(Recorder):
    """Prints each event as one JSON line."""

    def on_event(self, event):
        """Print it."""
        print(json.dumps([str(event.kind), event.trial_id]), flush=True)


def open_test(spec):
    """Scores of an imaginary test split; every adapter must exist."""
    results = {}
    for trial_id, directory in spec.models.items():
        written = json.loads((Path(directory) / "scripted.json").read_text())
        score = objective(written["config"], written["seed"])
        items = (Item(reference="yes", prediction="yes", value=score),)
        results[trial_id] = EvalResult(metric=spec.evaluate.metric, score=score, items=items, seconds=0.0)
    return OpenedTest(results=results, seconds=0.0)


def write_report(material, directory):
    """The material itself, as JSON."""
    (directory / "report.json").write_text(material.model_dump_json(indent=1))


def run(
    store,
    study_id,
    executor=None,
    proposer=None,
    observer=None,
    open_test=open_test,
    write_report=write_report,
    rebuild=None,
):
    """Carry a study out with the parts above unless others are given."""
    return run_study(
        study_id,
        store=store,
        executor=executor or ScriptedExecutor(objective),
        proposer=proposer or RandomProposer(),
        observer=observer or Recorder(),
        open_test=open_test,
        write_report=write_report,
        rebuild=rebuild,
    )


def reported(store, study_id):
    """What `write_report` above wrote."""
    return json.loads((store.study(study_id).directory / "output" / "report.json").read_text())


def main():
    """Run a study in a process of its own."""
    home, study_id, seconds = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])

    def slow_test(spec):
        time.sleep(seconds)
        return open_test(spec)

    with Store.open(home / "tunewright.db") as store:
        print(json.dumps(["pid", os.getpid()]), flush=True)
        curve = rung_curve if sys.argv[4:] == ["rungs"] else None
        executor = ScriptedExecutor(objective, slots=2, seconds=lambda spec: seconds, curve=curve)
        run(store, study_id, executor, observer=Shout(), open_test=slow_test)


if __name__ == "__main__":
    main()
