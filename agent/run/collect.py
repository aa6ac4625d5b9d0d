"""What the report is made from, collected from the store."""

import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from agent.report.material import Confirmed, Material, Spending
from agent.study.nouns import EventKind, Phase, Study, Trial, TrialState
from agent.study.rows import now
from agent.study.store import Store
from evals.spec import EvalResult
from trainers.spec import Closed

PACKAGES = ("tunewright", "torch", "transformers", "trl", "peft", "datasets", "tokenizers", "optuna", "numpy")
"""Those whose version can change a result."""


class Chosen(Closed):
    """The choice after confirmation. All but `dropped` came through on the same seeds, in the same order.

    `default` has no complete trials if it failed on every fresh seed.
    """

    default: Confirmed
    best: Confirmed
    confirmed: tuple[Confirmed, ...]
    dropped: tuple[tuple[Confirmed, str], ...] = ()
    shipped: Trial
    why: str


def collect(
    study: Study, store: Store, spending: Spending, choice: Chosen, test: dict[str, EvalResult], adapter: Path
) -> Material:
    """Everything the report of a study is made from."""
    study_id = study.study_id
    trials = store.trials(study_id)
    best = store.history(study_id).best
    return Material(
        study_id=study_id,
        plan=study.plan,
        started_at=study.started_at or study.created_at,
        finished_at=now(),
        trials=tuple(trials),
        curves=store.curves(study_id),
        results=store.results(study_id),
        default=choice.default,
        best=choice.best,
        confirmed=choice.confirmed,
        test=test,
        shipped=choice.shipped,
        chosen_why=choice.why,
        adapter_dir=str(adapter),
        search_best_score=None if best is None else best.score,
        test_openings=len(store.test_openings(study_id)),
        duplicates_avoided=_duplicates_avoided(store, study_id),
        spending=spending,
        deviations=_deviations(store, study_id, trials, choice),
        environment=environment(study),
        command=study.command,
    )


def environment(study: Study) -> dict[str, str]:
    """Package versions and the machine, by name."""
    facts = {"python": platform.python_version(), "platform": platform.platform(), "machine": platform.machine()}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            facts[package] = version(package)
    return facts | {"device": study.plan.device, "precision": study.plan.precision}


def _duplicates_avoided(store: Store, study_id: str) -> int:
    """Known configurations that were put forward again: by a proposer, or in a batch of the planner LLM."""
    refused = store.events(study_id, kind=EventKind.PROPOSAL_REFUSED)
    planner = store.events(study_id, kind=EventKind.PLANNER)
    votes = sum(int(e.data["count"]) for e in planner if e.data["kind"] == "votes")
    return sum(1 for e in refused if e.data["why"] == "tried already") + votes


def _deviations(store: Store, study_id: str, trials: list[Trial], choice: Chosen) -> tuple[str, ...]:
    """What was done otherwise than planned, each sentence once."""
    sentences = [event.data["sentence"] for event in store.events(study_id, kind=EventKind.DEVIATION)]
    sentences += [
        f"Configuration {c.config} was dropped: it failed on a fresh seed ({why})." for c, why in choice.dropped
    ]
    default = [t for t in trials if t.phase is Phase.CONFIRM and t.config == choice.default.config]
    if failed := [t for t in default if t.state is TrialState.FAILED]:
        baseline = "" if choice.default.complete else "; there is no baseline"
        seeds = f"{len(failed)} of {len(default)} fresh seeds"
        sentences.append(f"The default failed on {seeds} ({failed[0].reason}: {failed[0].error}){baseline}.")
    sentences += [f"Trial {t.number}: {sentence}" for t in trials for sentence in t.deviations]
    return tuple(dict.fromkeys(sentences))
