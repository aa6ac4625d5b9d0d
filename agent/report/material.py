"""Everything the report is made from; collected by the loop, read from the store, never recomputed."""

from typing import Literal

from pydantic import Field

from agent.request.plan import Plan
from agent.study.nouns import Trial
from evals.spec import EvalResult
from trainers.spec import Closed, Config, CurvePoint, TrainResult


class Candidate(Closed):
    """A configuration that was confirmed on fresh seeds. The three tuples are parallel, one entry a seed."""

    role: Literal["default", "best", "other"]
    config: Config
    trial_ids: tuple[str, ...]
    seeds: tuple[int, ...]
    validation: tuple[float, ...]
    test: tuple[EvalResult, ...] = Field((), description="only for the default and the best; the one opening of test")


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
    default: Candidate
    best: Candidate = Field(description="equal to the default where nothing beat it")
    confirmed: tuple[Candidate, ...] = Field(description="every configuration of the confirm phase, default included")
    shipped_trial: str = Field(description="the confirm trial whose adapter is handed back, chosen on validation")
    adapter_dir: str
    search_best_score: float | None = Field(description="best single search score, shown as optimistic")
    test_openings: int
    duplicates_avoided: int
    spending: Spending
    deviations: tuple[str, ...] = ()
    environment: dict[str, str] = Field({}, description="package and machine facts by name")
    command: str = Field(description="the command that reproduces the study")
