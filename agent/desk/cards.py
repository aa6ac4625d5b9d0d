"""What the desk answers: small closed models, fit for a chat, a tool result, an HTTP body or a program."""

from pydantic import Field

from agent.errors import InputError, TunewrightError
from agent.report.model import Result
from agent.request.draft import Question
from agent.study.nouns import Phase, StudyEvent, StudyState, TrialState
from tools.data.data_profile import DataProfile
from tools.generate import Answer
from trainers.spec import Closed, Config, CurvePoint, Direction, FailureReason, Scalar


class Line(Closed):
    """One thing understood: what it is, its value, and the words or the reason behind it."""

    name: str
    value: str
    origin: str = ""


class Problem(Closed):
    """Why something cannot be done, and the next step."""

    code: str
    message: str
    param: str | None = None
    hint: str | None = None
    retryable: bool = Field(False, description="whether the very same call may succeed later")

    @classmethod
    def of(cls, error: TunewrightError) -> "Problem":
        """An error as every face tells it."""
        if isinstance(error, InputError):
            return cls(
                code=error.code, message=error.rule, param=error.param, hint=error.hint, retryable=error.retryable
            )
        return cls(code=error.code, message=str(error), retryable=error.retryable)


class PlanCard(Closed):
    """A plan in short. Nothing has been spent yet; `start` with its hash carries it out."""

    plan_hash: str | None = Field(description="approval binds to it; None until the plan is ready")
    ready: bool
    request: str
    understood: tuple[Line, ...]
    data: tuple[Line, ...] = ()
    searched: tuple[Line, ...] = Field((), description="hyperparameter, its range, its default")
    trials: int | None = None
    seconds_p50: float | None = Field(None, description="expected wall time of the whole study")
    seconds_p90: float | None = None
    seconds_per_trial: float | None = None
    basis: str = Field("", description="what the expected time rests on")
    peak_memory_mb: float | None = None
    adapter_mb: float | None = None
    llm_tokens: int | None = Field(None, description="at most, for the planner LLM")
    llm_usd: float | None = None
    device: str = "cpu"
    questions: tuple[Question, ...] = ()
    problem: Problem | None = None
    notes: tuple[str, ...] = ()
    not_obeyed: tuple[str, ...] = Field((), description="parts of the request that were not understood or not obeyed")
    changed: tuple[Line, ...] = Field((), description="against the plan this one is an edit of; origin: what it was")


class Scored(Closed):
    """A trial with its validation score."""

    trial: int
    score: float
    config: Config


class Running(Closed):
    """A trial under way."""

    trial: int
    phase: Phase
    step: int = 0
    total_steps: int = 0
    loss: float | None = None


class StudyCard(Closed):
    """Where a study stands."""

    study: str
    state: StudyState
    state_words: str = Field(description="the state in a few words, queue and pause included")
    request: str
    plan_hash: str
    metric: str
    direction: Direction
    trials_over: int
    trials_failed: int
    trials_pruned: int
    trials_limit: int
    confirm_over: int = Field(0, description="confirmation runs that are over")
    best: Scored | None = Field(None, description="the incumbent of the search, by validation")
    default: float | None = Field(None, description="validation score of the default configuration")
    running: tuple[Running, ...] = ()
    seconds_used: float
    seconds_limit: float | None
    seconds_left_p50: float | None = Field(None, description="expected, from the plan; None when over")
    llm_tokens: int = 0
    llm_usd: float = 0.0
    queue_place: int | None = Field(None, description="1 is next; None: not waiting in the queue")
    paused: bool = False
    running_pid: int | None = None
    error: str | None = None
    error_code: str | None = Field(None, description="the code of the error that ended a failed study")
    created_at: str
    started_at: str | None = None
    finished_at: str | None = None
    over: bool = Field(description="whether nothing more happens unless somebody asks for it")
    last_event: int = Field(0, description="sequence number of its latest event, a cursor for `events`")
    result: Result | None = None
    directory: str
    report_dir: str | None = None
    adapter_dir: str | None = None


class StartedStudy(StudyCard):
    """A study that was queued."""

    already: bool = Field(description="it had been started before; nothing was started now")


class WaitedStudy(StudyCard):
    """A study after some waiting."""

    still_running: bool = Field(description="not over yet: wait again")


class StudyLine(Closed):
    """One study of the list."""

    study: str
    state: StudyState
    state_words: str
    over: bool
    request: str
    metric: str
    direction: Direction
    best: float | None
    default: float | None
    verdict: str | None
    trials_used: int
    trials_limit: int
    seconds_used: float
    seconds_limit: float | None
    llm_tokens_used: int
    created_at: str

    @classmethod
    def of(cls, card: StudyCard) -> "StudyLine":
        """A study in a line."""
        same = card.model_dump(include=set(cls.model_fields) - {"best"})
        return cls(
            **same,
            best=card.best.score if card.best else None,
            verdict=card.result.verdict if card.result else None,
            trials_used=card.trials_over,
            llm_tokens_used=card.llm_tokens,
        )


class StudyList(Closed):
    """Studies, newest first."""

    studies: tuple[StudyLine, ...]
    more: bool = Field(description="there are older ones")


class EventPage(Closed):
    """Events of a study after a cursor."""

    study: str
    events: tuple[StudyEvent, ...]
    after: int = Field(description="give this as `after` to get what comes next")
    more: bool = Field(description="whether there were more at once than `limit`")
    over: bool = Field(description="whether the study has ended, so that nothing more comes by itself")


class Change(Closed):
    """One hyperparameter that differs."""

    name: str
    value: str
    other: str


class Explanation(Closed):
    """Why a trial has its configuration, and how it turned out."""

    study: str
    trial: int
    phase: Phase
    state: TrialState
    proposed_by: str
    why: str
    differs_from_default: tuple[Change, ...]
    config: Config
    metric: str
    predicted_mean: float | None
    predicted_sd: float | None
    outcome: float | None = Field(description="validation score; None if it has none")
    outcome_words: str
    default_scored: float | None
    seconds: float
    costs: dict[str, float] | None = None
    deviations: tuple[str, ...] = ()
    curve_words: str = ""
    curve: tuple[CurvePoint, ...] = ()
    llm_model: str | None = None
    llm_prompt_name: str | None = None
    llm_prompt_sha256: str | None = None


class Tried(Closed):
    """A value of one hyperparameter in one trial."""

    trial: int
    value: Scalar
    score: float | None


class ParameterView(Closed):
    """One hyperparameter of a trial: where its value stands among what was searched and tried."""

    name: str
    value: Scalar | None = Field(description="in this trial; None where it has none")
    default: Scalar | None
    searched: str = Field(description="its range or choices; how it was fixed where it was not searched")
    tried: tuple[Tried, ...] = Field((), description="best first")


class TrialExplanation(Explanation):
    """An explanation with the hyperparameter that was asked about."""

    parameter: ParameterView | None = None


class LlmCallCard(Closed):
    """One call of the planner LLM, whole."""

    call: int
    at: str
    model: str
    prompt_name: str
    prompt_sha256: str
    text: str
    reply: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cost_usd: float | None
    seconds: float
    error: str | None


class Comparison(Closed):
    """Two configurations of a study beside each other."""

    study: str
    metric: str
    direction: Direction
    left_name: str
    right_name: str
    left: float | None
    right: float | None
    difference: float | None = Field(description="left minus right, in units of the metric")
    basis: str = Field(description="what the scores are: test rows, fresh seeds, or single search trials")
    ci95: tuple[float, float] | None = None
    p_value: float | None = None
    verdict: str
    changes: tuple[Change, ...] = Field(description="hyperparameters that differ: left value, right other")


class BudgetCard(Closed):
    """What a study may spend and has spent."""

    study: str
    trials_used: int
    trials_limit: int
    seconds_used: float
    seconds_limit: float | None
    llm_tokens_used: int
    llm_tokens_limit: int | None
    llm_usd_used: float
    llm_usd_limit: float | None


class BudgetStanding(BudgetCard):
    """What a study may spend and has spent, and how much longer it is expected to take."""

    state_words: str
    seconds_left_p50: float | None = Field(None, description="expected, from the plan; None when over")


CLASSES = 24
NAME_CHARACTERS = 60


class DataCard(Closed):
    """What a data set is, by counts; of many classes the largest."""

    data: str
    task: str
    rows: int
    format: str
    sha256: str
    columns: tuple[str, ...]
    used_columns: tuple[Line, ...]
    classes: dict[str, int] = {}
    train: int
    validation: int
    test: int
    duplicates_removed: int
    tokens_p50: int
    tokens_p99: int
    tokens_max: int
    notes: tuple[str, ...] = ()
    n_classes: int

    @classmethod
    def of(cls, data: str, profile: DataProfile) -> "DataCard":
        """The profile of `data`; long names cut short."""
        source, splits, lengths = profile.sources[0], profile.splits, profile.lengths
        largest = sorted(profile.label_counts.items(), key=lambda item: -item[1])[:CLASSES]
        return cls(
            data=data,
            task=profile.task,
            rows=source.n_rows,
            format=source.format,
            sha256=source.sha256,
            columns=tuple(name[:NAME_CHARACTERS] for name in source.columns[:CLASSES]),
            used_columns=tuple(
                Line(name=role, value=column, origin=profile.column_evidence.get(role, ""))
                for role, column in profile.columns
                if column is not None
            ),
            classes={name[:NAME_CHARACTERS]: rows for name, rows in largest},
            train=splits.train,
            validation=splits.validation,
            test=splits.test,
            duplicates_removed=profile.duplicates.removed_from_train,
            tokens_p50=lengths.p50,
            tokens_p99=lengths.p99,
            tokens_max=lengths.max,
            notes=profile.notes,
            n_classes=len(profile.label_counts),
        )


class TrialCard(Closed):
    """One trial in a line."""

    trial: int
    phase: Phase
    state: TrialState
    source: str
    score: float | None
    reason: FailureReason | None
    seconds: float
    config: Config
    predicted_mean: float | None = None
    predicted_sd: float | None = None
    seed: int


class TrialPage(Closed):
    """Trials of a study by number."""

    study: str
    metric: str
    direction: Direction
    default: Config = Field({}, description="the default configuration")
    trials: tuple[TrialCard, ...]
    after: int = Field(description="give this as `after` to get those that come next")
    more: bool = Field(description="whether there are any")


class ReportCard(Closed):
    """Where a finished study's report is and what it says in short."""

    study: str
    directory: str
    files: tuple[str, ...]
    adapter_dir: str
    result: Result


class ModelAnswer(Answer):
    """What the model of a study says."""

    study: str
