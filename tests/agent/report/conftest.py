"""Material of studies that never ran, complete in every field that a report reads."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest

from agent.report.build import build_report
from agent.report.material import Confirmed, Material, Spending
from agent.report.watching import watched
from agent.request.plan import Plan
from agent.settings import Settings, Watching
from agent.study.nouns import Costs, Phase, Proposal, Trial, TrialState
from evals.metrics import score
from evals.spec import EvalResult, Item
from tests.fakes.receiver import Receiver
from tools.base_model import BaseModelFacts
from tools.data.data_profile import DataProfile, DuplicateProfile, LengthProfile, SourceProfile, SplitProfile
from trainers.space import CategoricalParameter, FloatParameter, IntParameter, Space
from trainers.spec import (
    Budget,
    Columns,
    Config,
    CurvePoint,
    Data,
    FailureReason,
    Loss,
    Metric,
    Objective,
    Task,
    TaskSpec,
    Tradeoff,
    TrainResult,
)

TOPICS = ("asyncio", "ast", "decimal", "email", "http", "json", "os", "re", "tkinter", "unittest")
LISTED = {Task.CLASSIFICATION: TOPICS, Task.SFT: (), Task.PREFERENCE: ()}
METRICS = {Task.CLASSIFICATION: Metric.F1_MACRO, Task.SFT: Metric.EVAL_LOSS, Task.PREFERENCE: Metric.REWARD_ACCURACY}
SOURCES = ("tpe", "portfolio", "portfolio", "portfolio", "tpe", "gp", "llm")
N_CONFIRM = 3

Make = Callable[..., Material]


@pytest.fixture
def make_material(tmp_path: Path) -> Make:
    """Makes material of a task; see `material`."""

    def make(task: Task = Task.CLASSIFICATION, **changes: object) -> Material:
        (tmp_path / "out" / "adapter").mkdir(parents=True, exist_ok=True)
        return material(task, tmp_path / "out" / "adapter", **changes)

    return make


def material(
    task: Task,
    adapter_dir: Path,
    *,
    skill: tuple[float, float] = (0.62, 0.8),
    best_is_default: bool = False,
    curves: bool = True,
    n_trials: int = 12,
    labels: tuple[str, ...] | None = None,
    request: str = "classify the docstrings by topic, 12 trials",
    default_failed: bool = False,
    n_rows: int = 400,
    tradeoffs: tuple[Tradeoff, ...] = (),
) -> Material:
    """Material of a study of `n_trials` search trials (number 4 fails) with a default and a best of given `skill`."""
    names = LISTED[task] if labels is None else labels
    space = _space()
    search = [_search_trial(task, space, number, skill) for number in range(n_trials)]
    configs = [space.default(), _leader(task, search).config]
    confirm = [
        _confirm_trial(task, n_trials + N_CONFIRM * side + place, config, seed, skill[side])
        for side, config in enumerate(configs)
        for place, seed in enumerate(range(900, 900 + N_CONFIRM))
    ]
    tests = [[_result(task, skill[side], seed + 31 * side, names, n_rows) for seed in range(3)] for side in range(2)]
    if default_failed:
        fields = {"state": TrialState.FAILED, "reason": FailureReason.NAN, "score": None, "costs": None}
        confirm[:3] = [trial.model_copy(update=fields) for trial in confirm[:3]]
    default, best = Confirmed(trials=tuple(confirm[:3])), Confirmed(trials=tuple(confirm[3:]))
    trials = (*search, *confirm)
    ids = [trial.trial_id for trial in confirm if trial.state is TrialState.COMPLETE]
    chosen = default if best_is_default else best
    return Material(
        study_id="20260101-abcd",
        plan=_plan(task, space, names, request, n_rows, n_trials, tradeoffs),
        started_at="2026-01-01T10:00:00Z",
        finished_at="2026-01-01T10:06:41Z",
        trials=trials,
        curves={t.trial_id: _curve(t) for t in search if t.score is not None} if curves else {},
        results={t.trial_id: _run() for t in trials},
        default=default,
        best=chosen,
        confirmed=(default, best),
        test=dict(zip(ids, tests[1] if default_failed else [*tests[0], *tests[1]], strict=True)),
        shipped=chosen.trials[1],
        adapter_dir=str(adapter_dir),
        search_best_score=_leader(task, search).score,
        test_openings=1,
        duplicates_avoided=2,
        spending=Spending(trials_used=n_trials, trials_limit=n_trials, seconds_used=401.2, seconds_limit=480.0),
        deviations=("Trial 7: the micro-batch was halved to 16 after running out of memory.",),
        environment={"python": "3.11.7", "torch": "2.13.0", "transformers": "5.23.0", "device": "cpu"},
        command="tunewright run 'classify the docstrings by topic, 12 trials' --yes",
    )


def _space() -> Space:
    return Space(
        parameters={
            "learning_rate": FloatParameter(low=1e-5, high=3e-2, log=True, default=2e-4),
            "lora_rank": CategoricalParameter(choices=(4, 8, 16, 32), default=8),
            "epochs": IntParameter(low=1, high=3, default=1),
            "weight_decay": FloatParameter(low=0.0, high=0.1, default=0.0),
            "scheduler": CategoricalParameter(choices=("linear", "cosine"), default="linear"),
            "adapter_bias": CategoricalParameter(choices=("none",), default="none"),
        }
    )


def _search_trial(task: Task, space: Space, number: int, skill: tuple[float, float]) -> Trial:
    failed = number == 4
    config = space.sample(Random(number)) if number else space.default()
    value = skill[0] if number == 0 else skill[1] - 0.04 * ((number * 5) % 7)
    return Trial(
        trial_id=f"t{number}",
        study_id="20260101-abcd",
        number=number,
        phase=Phase.SEARCH,
        state=TrialState.FAILED if failed else TrialState.COMPLETE,
        proposal=Proposal(config=config, source=SOURCES[number % 7] if number else "default", why="<b>because</b>"),
        seed=number,
        score=None if failed else _scale(task, value),
        reason=FailureReason.NAN if failed else None,
        error="row 'SECRET ROW TEXT' gave NaN" if failed else None,
        seconds=14.0 + number,
        costs=None if failed else costs(config, number),
    )


def _confirm_trial(task: Task, number: int, config: Config, seed: int, skill: float) -> Trial:
    return Trial(
        trial_id=f"t{number}",
        study_id="20260101-abcd",
        number=number,
        phase=Phase.CONFIRM,
        state=TrialState.COMPLETE,
        proposal=Proposal(config=config, source="confirm"),
        seed=seed,
        score=_scale(task, skill + 0.01 * (seed % 3)),
        seconds=15.0,
        costs=costs(config, seed % 3),
    )


def costs(config: Config, jitter: int) -> Costs:
    """Longer, larger and fatter with epochs and rank, the clock a little off."""
    rank = float(config["lora_rank"])
    return Costs(
        train_seconds=float(config["epochs"]) * (8.0 + rank / 8) + 0.03 * jitter,
        peak_memory_mb=760.0 + 6.0 * rank,
        adapter_mb=0.08 * rank,
    )


def _scale(task: Task, skill: float) -> float:
    return 4 * (1 - skill) if task is Task.SFT else skill


def _leader(task: Task, search: list[Trial]) -> Trial:
    """The trial after the default with the best score."""
    sign = -1 if task is Task.SFT else 1
    return max((t for t in search[1:] if t.score is not None), key=lambda t: sign * (t.score or 0.0))


def _result(task: Task, skill: float, seed: int, labels: tuple[str, ...], n_rows: int) -> EvalResult:
    rng, rows = Random(seed), Random(99)
    items = tuple(_item(task, skill, rng, rows, labels) for _ in range(n_rows))
    metric = METRICS[task]
    return EvalResult(metric=metric, score=score(metric, items), items=items, seconds=2.0, others={"accuracy": skill})


def _item(task: Task, skill: float, rng: Random, rows: Random, labels: tuple[str, ...]) -> Item:
    if task is Task.CLASSIFICATION:
        true = rows.choice(labels)
        guess = true if rng.random() < skill else rng.choice(labels)
        return Item(reference=true, prediction=guess, value=float(true == guess))
    if task is Task.PREFERENCE:
        margin = rng.gauss(4 * (skill - 0.5), 2)
        return Item(
            reference="chosen",
            prediction="chosen" if margin > 0 else "rejected",
            value=float(margin > 0),
            margin=margin,
        )
    hard = rows.gauss(0, 0.5)
    value = max(0.05, 4 * (1 - skill) + hard + rng.gauss(0, 0.1))
    return Item(reference="", prediction="SECRET ROW TEXT", value=value, weight=rows.randrange(5, 60))


def _curve(trial: Trial) -> tuple[CurvePoint, ...]:
    end = 1.2 - (trial.score or 0) / 2
    return tuple(CurvePoint(step=step, loss=end + 2 / step, eval_loss=end + 1.5 / step) for step in (10, 30, 60, 94))


def _run() -> TrainResult:
    return TrainResult(
        steps=94,
        epochs=1.0,
        train_loss=0.7,
        eval_loss=0.8,
        train_seconds=12.3,
        tokens_per_second=4321.0,
        peak_memory_mb=812.0,
        trainable_parameters=152_842,
        micro_batch=32,
        gradient_accumulation=1,
        n_train_rows=3000,
    )


def _plan(
    task: Task,
    space: Space,
    labels: tuple[str, ...],
    request: str,
    n_rows: int,
    n_trials: int,
    tradeoffs: tuple[Tradeoff, ...],
) -> Plan:
    metric = METRICS[task]
    return Plan(
        request=request,
        spec=TaskSpec(
            task=task,
            base_model="sentence-transformers/all-MiniLM-L6-v2",
            data=Data(train="stdlib:docstrings"),
            loss=Loss.SIGMOID if task is Task.PREFERENCE else None,
            objective=Objective(metric=metric, direction=metric.direction, tradeoffs=tradeoffs),
            budget=Budget(trials=n_trials, seconds=480),
        ),
        provenance={},
        base=BaseModelFacts(
            name="sentence-transformers/all-MiniLM-L6-v2", path="base", revision="c" * 40, origin="hub cache"
        ),
        space=space,
        data=DataProfile(
            task=task,
            sources=(
                SourceProfile(
                    name="stdlib:docstrings",
                    path="stdlib:docstrings",
                    format="stdlib",
                    sha256="a" * 64,
                    n_rows=6600,
                    columns=("text", "label"),
                ),
            ),
            columns=Columns(text="text", label="label"),
            labels=labels,
            lengths=LengthProfile(
                tokenizer="MiniLM", p50=20, p90=60, p99=120, p995=150, max=400, max_seq_length=64, truncated_share=0.08
            ),
            duplicates=DuplicateProfile(removed_from_train=17),
            splits=SplitProfile(
                train=3000,
                validation=600,
                test=n_rows,
                how="cut",
                train_sha256="1" * 64,
                validation_sha256="2" * 64,
                test_sha256="3" * 64,
            ),
        ),
    )


def write_report(material, directory):
    """The real report as data, without its plots, which take seconds."""
    (directory / "report.json").write_text(build_report(material, directory).model_dump_json())


@pytest.fixture
def settings(store, tmp_path):
    """`settings(export={...})`: those of the store's home with these sections."""

    def made(**sections):
        watching = Watching.model_validate(sections)
        return Settings(home=tmp_path, roots=(tmp_path,), watching=watching)

    return made


@pytest.fixture
def carry_out(lab, store, settings):
    """Carries a study out under watch, to its report; gives its stored events."""

    def run(study_id, executor=None, observer=None, flush_seconds=30.0, **sections):
        study = store.study(study_id)
        with watched(observer or lab.Recorder(), study, store, settings(**sections), flush_seconds) as everyone:
            lab.run(store, study_id, executor, observer=everyone, write_report=write_report)
        return store.events(study_id)

    return run


@pytest.fixture
def troubles():
    """What watchers were in trouble with, among events: (name, message) pairs."""
    return lambda events: [(e.data["name"], e.data["message"]) for e in events if e.kind == "watcher"]


@pytest.fixture
def receiver():
    """`receiver(answers, headers)`: a running `Receiver`; all end with the test."""
    with ExitStack() as stack:
        yield lambda *given, **named: stack.enter_context(Receiver(*given, **named).serving())
