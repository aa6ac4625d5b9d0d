"""Everything the report is made from; collected by the loop, read from the store, never recomputed."""

from pydantic import Field

from agent.request.plan import Plan
from agent.study.nouns import Trial, TrialState
from evals.spec import EvalResult
from trainers.spec import Closed, Config, CurvePoint, TaskSpec, TrainResult


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


class Spending(Closed):
    """Used and allowed, side by side; a limit of None means none was set."""

    trials_used: int
    trials_limit: int | None
    seconds_used: float
    seconds_limit: float | None
    gpu_seconds_used: float = 0.0
    llm_tokens_used: int = Field(0, description="prompt and completion; estimated where the backend reports none")
    llm_tokens_limit: int | None = None
    llm_replies_unusable: int = 0
    llm_usd_used: float = 0.0
    llm_usd_limit: float | None = None


class Material(Closed):
    """What one finished study offers to its report."""

    study_id: str
    plan: Plan
    started_at: str = Field(description="UTC, ISO 8601")
    finished_at: str
    trials: tuple[Trial, ...] = Field(description="search and confirm trials, by number")
    curves: dict[str, tuple[CurvePoint, ...]] = Field({}, description="trial id to its learning curve")
    results: dict[str, TrainResult] = Field({}, description="trial id to what its run measured")
    default: Confirmed
    best: Confirmed = Field(description="equal to the default where nothing beat it")
    confirmed: tuple[Confirmed, ...] = Field(description="every configuration of the confirm phase, default included")
    test: dict[str, EvalResult] = Field(description="trial id to scores of the one opening of test: default and best")
    shipped: Trial = Field(description="the confirm trial whose adapter is handed back, chosen on validation")
    adapter_dir: str
    chosen_why: str = Field("", description="why this configuration is handed back, as the end of a sentence")
    search_best_score: float | None = Field(description="best single search score, shown as optimistic")
    test_openings: int
    duplicates_avoided: int
    spending: Spending
    deviations: tuple[str, ...] = ()
    environment: dict[str, str] = Field({}, description="package and machine facts by name")
    command: str = Field(description="the command that reproduces the study")

    @property
    def spec(self) -> TaskSpec:
        """The resolved spec of the study. Raises TypeError for a plan that was never resolved."""
        if not isinstance(self.plan.spec, TaskSpec):
            raise TypeError(f"study {self.study_id} holds a plan that was never resolved")
        return self.plan.spec

    @property
    def best_is_default(self) -> bool:
        """Whether the default itself is handed back."""
        return self.best.config == self.default.config

    @property
    def shipped_place(self) -> int:
        """Position of the shipped trial among the best configuration's confirm trials."""
        return self.best.trial_ids.index(self.shipped.trial_id)

    def tests(self, candidate: Confirmed) -> tuple[EvalResult, ...]:
        """The scores of a configuration on test, by seed; none if test was not opened for it."""
        return tuple(self.test[trial_id] for trial_id in candidate.trial_ids if trial_id in self.test)
