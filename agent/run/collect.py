"""What the report is made from, collected from the store."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from agent.report.material import Candidate, Material, Spending
from agent.study.nouns import EventKind, Phase, Study, Trial, TrialState
from agent.study.rows import now
from agent.study.store import Store
from evals.spec import EvalResult
from trainers.spec import Closed, Config

PACKAGES = ("tunewright", "torch", "transformers", "trl", "peft", "datasets", "tokenizers", "optuna", "numpy")
"""Those whose version can change a result."""


class Confirmed(Closed):
    """The confirm trials of one configuration."""

    trials: tuple[Trial, ...]

    @property
    def config(self) -> Config:
        """The configuration."""
        return self.trials[0].config

    @property
    def complete(self) -> tuple[Trial, ...]:
        """Trials with a score, by seed."""
        return tuple(t for t in self.trials if t.state is TrialState.COMPLETE)

    @property
    def trial_ids(self) -> tuple[str, ...]:
        """Of the complete trials; parallel to `seeds` and `scores`."""
        return tuple(t.trial_id for t in self.complete)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of the complete trials."""
        return tuple(t.seed for t in self.complete)

    @property
    def scores(self) -> tuple[float, ...]:
        """Validation scores of the complete trials."""
        return tuple(t.score for t in self.complete if t.score is not None)

    @property
    def first_error(self) -> str:
        """What the first failed trial said."""
        failed = [t for t in self.trials if t.state is TrialState.FAILED]
        return f"{failed[0].reason}: {failed[0].error}" if failed else "not run"

    def on(self, seeds: tuple[int, ...]) -> "Confirmed":
        """The same configuration, only the trials on `seeds`, in their order."""
        by_seed = {t.seed: t for t in self.trials}
        return Confirmed(trials=tuple(by_seed[seed] for seed in seeds if seed in by_seed))


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

    def role(self, candidate: Confirmed) -> Literal["default", "best", "other"]:
        """What the report calls a candidate."""
        if candidate == self.default:
            return "default"
        return "best" if candidate == self.best else "other"


def collect(
    study: Study, store: Store, spending: Spending, chosen: Chosen, test: dict[str, EvalResult], adapter: Path
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
        default=_candidate(chosen, chosen.default, test),
        best=_candidate(chosen, chosen.best, test),
        confirmed=tuple(_candidate(chosen, c, test) for c in chosen.confirmed),
        shipped_trial=chosen.shipped.trial_id,
        adapter_dir=str(adapter),
        search_best_score=None if best is None else best.score,
        test_openings=len(store.test_openings(study_id)),
        duplicates_avoided=_duplicates_avoided(store, study_id),
        spending=spending,
        deviations=_deviations(store, study_id, trials, chosen),
        environment=environment(study),
        command=study.command,
    )


def environment(study: Study) -> dict[str, str]:
    """Package versions and the machine, by name."""
    facts = {"python": platform.python_version(), "platform": platform.platform(), "machine": platform.machine()}
    for package in PACKAGES:
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            continue
    return facts | {"device": study.plan.device, "precision": study.plan.precision}


def _candidate(chosen: Chosen, confirmed: Confirmed, test: dict[str, EvalResult]) -> Candidate:
    role = chosen.role(confirmed)
    ids = confirmed.trial_ids
    return Candidate(
        role=role,
        config=confirmed.config,
        trial_ids=ids,
        seeds=confirmed.seeds,
        validation=confirmed.scores,
        test=() if role == "other" else tuple(test[trial_id] for trial_id in ids),
    )


def _duplicates_avoided(store: Store, study_id: str) -> int:
    """Known configurations that were put forward again: by a proposer, or in a batch of the planner LLM."""
    refused = store.events(study_id, kind=EventKind.PROPOSAL_REFUSED)
    planner = store.events(study_id, kind=EventKind.PLANNER)
    votes = sum(int(e.data["count"]) for e in planner if e.data["kind"] == "votes")
    return sum(1 for e in refused if e.data["why"] == "tried already") + votes


def _deviations(store: Store, study_id: str, trials: list[Trial], chosen: Chosen) -> tuple[str, ...]:
    """What was done otherwise than planned, each sentence once."""
    sentences = [event.data["sentence"] for event in store.events(study_id, kind=EventKind.DEVIATION)]
    sentences += [
        f"Configuration {c.config} was dropped: it failed on a fresh seed ({why})." for c, why in chosen.dropped
    ]
    default = [t for t in trials if t.phase is Phase.CONFIRM and t.config == chosen.default.config]
    if failed := [t for t in default if t.state is TrialState.FAILED]:
        baseline = "" if chosen.default.complete else "; there is no baseline"
        seeds = f"{len(failed)} of {len(default)} fresh seeds"
        sentences.append(f"The default failed on {seeds} ({failed[0].reason}: {failed[0].error}){baseline}.")
    sentences += [f"Trial {t.number}: {sentence}" for t in trials for sentence in t.deviations]
    return tuple(dict.fromkeys(sentences))
