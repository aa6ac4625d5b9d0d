"""`Report`: what a finished study says about itself, as data (`report.json`). Everything else is a view of it."""

from pydantic import Field

from agent.report.material import Spending
from agent.study.nouns import Costs, Phase, TrialState
from evals.stats import Gain
from trainers.spec import Closed, Config, Direction, FailureReason, Metric, Task, Tradeoff


class Spread(Closed):
    """Validation scores of one configuration on the fresh seeds of the confirm phase."""

    mean: float | None = Field(description="None if no fresh seed got through")
    sd: float | None = Field(description="over seeds, n - 1 in the denominator; None for fewer than two")
    seeds: tuple[int, ...]
    scores: tuple[float, ...] = Field(description="parallel to seeds")


class Side(Closed):
    """One configuration with everything that was measured of it."""

    config: Config
    trial_numbers: tuple[int, ...] = Field(description="its confirm trials, parallel to validation.seeds")
    validation: Spread
    test_score: float | None = Field(None, description="mean over seeds; None if test was not opened for it")
    test_scores: tuple[float, ...] = Field((), description="parallel to validation.seeds")
    ci95: tuple[float, float] | None = Field(None, description="of test_score: bootstrap over seeds and rows")
    others: dict[str, float] = Field({}, description="further test metrics, means over seeds")


class Shipped(Closed):
    """The one model that is handed back, chosen by its validation score."""

    trial_id: str
    trial_number: int
    seed: int
    adapter_dir: str
    validation_score: float | None
    test_score: float | None = None
    ci95: tuple[float, float] | None = Field(None, description="of this model: bootstrap over rows")
    train_seconds: float | None = None
    steps: int | None = None
    trainable_parameters: int | None = None
    peak_memory_mb: float | None = None


class TrialCounts(Closed):
    """Search trials by how they ended."""

    complete: int
    pruned: int
    failed: int
    duplicates_avoided: int
    confirm: int = Field(description="trials of the confirm phase, not counted above")


class TrialRow(Closed):
    """One trial in a line; error texts stay in the store (`tunewright explain`), they may quote data."""

    number: int
    phase: Phase
    state: TrialState
    source: str
    score: float | None
    reason: FailureReason | None
    seconds: float
    config: Config


class Compromise(Closed):
    """One configuration: how good, at what cost."""

    trial_number: int = Field(description="its first trial with a score")
    config: Config
    quality: float = Field(description="mean validation score: over fresh seeds if confirmed, else of the search")
    n_seeds: int = Field(description="runs behind quality and costs")
    confirmed: bool = Field(description="false: quality is that of search trials, and may be luck")
    costs: Costs = Field(description="means over the same runs")
    is_default: bool
    is_best: bool = Field(description="the configuration that is handed back")


class Pareto(Closed):
    """Quality against costs, by configuration."""

    costs: tuple[Tradeoff, ...] = Field(description="compared beside the metric, as rounded to two digits")
    weighed: bool = Field(description="whether the search looked for compromises, or for quality alone")
    front: tuple[Compromise, ...] = Field(description="no other is nowhere worse and somewhere better; best first")
    others: tuple[Compromise, ...] = Field(description="all others, best first")


class DataSource(Closed):
    """What was read, to be recognised again."""

    name: str
    revision: str | None
    format: str
    n_rows: int
    sha256: str


class DataFingerprint(Closed):
    """The data of the study by counts and hashes; no rows."""

    sources: tuple[DataSource, ...]
    labels: tuple[str, ...]
    n_train: int
    n_validation: int
    n_test: int
    train_sha256: str
    validation_sha256: str
    test_sha256: str
    removed_from_train: int = Field(description="duplicates, within train and with validation or test")


class Report(Closed):
    """The end product beside the adapter."""

    study_id: str
    plan_hash: str
    request: str
    command: str
    task: Task
    base_model: str
    metric: Metric
    direction: Direction
    started_at: str
    finished_at: str
    verdict: str = Field(description="the result in plain words; says so where nothing can be told apart")
    default: Side
    best: Side
    best_is_default: bool
    confirmed: tuple[Side, ...]
    gain: Gain | None = Field(description="None where the default has no test score")
    shipped: Shipped
    test_openings: int
    trials: TrialCounts
    trial_rows: tuple[TrialRow, ...] = Field(description="all trials, by number")
    free_hyperparameters: tuple[str, ...] = Field(description="those the search could change")
    budget: Spending
    search_best_score: float | None = Field(description="best single search score: the best of many, so optimistic")
    optimism: float | None = Field(
        description="how much that score flatters: against the same configuration's mean on fresh seeds"
    )
    pareto: Pareto | None = Field(None, description="None where too few configurations know what they cost")
    deviations: tuple[str, ...]
    data: DataFingerprint | None
    environment: dict[str, str]
    remarks: tuple[str, ...] = Field((), description="what to keep in mind when reading the numbers")
    directory: str = Field(description="where report, plots, spec and adapter are")


class Result(Closed):
    """What a finished study found, on test rows nobody had seen."""

    verdict: str
    best_test: float | None
    best_ci95: tuple[float, float] | None
    default_test: float | None
    default_ci95: tuple[float, float] | None
    gain: float | None
    gain_ci95: tuple[float, float] | None
    p_value: float | None
    best_is_default: bool
    best_config: Config
    test_rows: int


def result_of(report: Report) -> Result:
    """What a report found, in short."""
    gain = report.gain
    return Result(
        verdict=report.verdict,
        best_test=report.best.test_score,
        best_ci95=report.best.ci95,
        default_test=report.default.test_score,
        default_ci95=report.default.ci95,
        gain=gain.value if gain else None,
        gain_ci95=gain.ci95 if gain else None,
        p_value=gain.p_value if gain else None,
        best_is_default=report.best_is_default,
        best_config=report.best.config,
        test_rows=report.data.n_test if report.data else 0,
    )
