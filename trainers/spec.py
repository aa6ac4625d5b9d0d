"""The nouns of a fine-tuning job: what is asked for (`TaskSpec`) and what one training run gets (`TrainSpec`).

Everything here is importable without torch. `TaskSpec` is the resolved, closed, frozen form of a request; its JSON
is what `tunewright plan --json` prints under `"spec"` and what a YAML spec file holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    create_model,
    model_serializer,
    model_validator,
)

Scalar = bool | int | float | str
Config = dict[str, Scalar]
"""One configuration: hyperparameter name to value, inactive hyperparameters absent."""


class Closed(BaseModel):
    """A boundary model: unknown keys are refused and instances cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Intent(StrEnum):
    """What the request wants done."""

    TRAIN = "train"
    PLAN = "plan"
    STATUS = "status"
    EXPLAIN = "explain"
    RESUME = "resume"
    CANCEL = "cancel"
    EVALUATE = "evaluate"
    EXPORT = "export"
    HELP = "help"
    UNSUPPORTED = "unsupported"


class Task(StrEnum):
    """The kind of model to fit."""

    CLASSIFICATION = "classification"
    SFT = "sft"
    PREFERENCE = "preference"


class Adapter(StrEnum):
    """Which weights are trained."""

    LORA = "lora"
    RSLORA = "rslora"
    QLORA = "qlora"
    DORA = "dora"
    FULL = "full"


class Loss(StrEnum):
    """Preference losses, under TRL 1.16's names where TRL has one (`simpo` and `kto` have trainers of their own)."""

    SIGMOID = "sigmoid"
    SIGMOID_NORM = "sigmoid_norm"
    IPO = "ipo"
    SIMPO = "simpo"
    KTO = "kto"
    ROBUST = "robust"
    APO_ZERO = "apo_zero"
    HINGE = "hinge"

    @property
    def has_reference(self) -> bool:
        """Whether the loss compares with the untrained model."""
        return self is not Loss.SIMPO


class Direction(StrEnum):
    """Whether a larger or a smaller score is better."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"

    @property
    def sign(self) -> float:
        """Scores times this are the better the larger."""
        return 1.0 if self is Direction.MAXIMIZE else -1.0


class Metric(StrEnum):
    """Scores a study can optimise; `evals/metrics.py` defines each."""

    ACCURACY = "accuracy"
    F1_MACRO = "f1_macro"
    F1_WEIGHTED = "f1_weighted"
    EVAL_LOSS = "eval_loss"
    PERPLEXITY = "perplexity"
    EXACT_MATCH = "exact_match"
    ROUGE_L = "rouge_l"
    BLEU = "bleu"
    REWARD_ACCURACY = "reward_accuracy"
    WIN_RATE = "win_rate"

    @property
    def direction(self) -> Direction:
        """The direction in which this metric improves."""
        return Direction.MINIMIZE if self in (Metric.EVAL_LOSS, Metric.PERPLEXITY) else Direction.MAXIMIZE


@dataclass(frozen=True)
class Terms:
    """What a spec may say of one task."""

    metrics: tuple[Metric, ...]
    """The first is the default."""
    losses: tuple[Loss, ...] = ()
    """To choose from; the first is the default. Empty: the task has one loss, and a spec must not name it."""
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    """Those that only this task has, each with its description; fields of `Search`."""


TERMS: dict[Task, Terms] = {
    Task.CLASSIFICATION: Terms(
        metrics=(Metric.F1_MACRO, Metric.ACCURACY, Metric.F1_WEIGHTED, Metric.EVAL_LOSS),
        hyperparameters={"head_lr_ratio": "classification: learning rate of the head / adapter's"},
    ),
    Task.SFT: Terms(
        metrics=(Metric.EVAL_LOSS, Metric.PERPLEXITY, Metric.EXACT_MATCH, Metric.ROUGE_L, Metric.BLEU, Metric.ACCURACY)
    ),
    Task.PREFERENCE: Terms(
        metrics=(Metric.REWARD_ACCURACY, Metric.ACCURACY, Metric.WIN_RATE, Metric.EVAL_LOSS),
        losses=tuple(Loss),
        hyperparameters={
            "beta": "preference: strength of the pull to the reference model",
            "simpo_gamma": "simpo: target margin divided by beta",
            "label_smoothing": "robust: assumed share of flipped preferences",
        },
    ),
}


class Tradeoff(StrEnum):
    """A cost of one training run that a study can weigh against its metric; less is better."""

    TRAIN_SECONDS = "train_seconds"
    PEAK_MEMORY_MB = "peak_memory_mb"
    ADAPTER_MB = "adapter_mb"


Tradeoffs = Annotated[
    tuple[Tradeoff, ...], AfterValidator(lambda given: tuple(cost for cost in Tradeoff if cost in given))
]
"""Each cost once and in one order, so that equal wishes give equal plans."""


class FailureReason(StrEnum):
    """Why an attempt failed."""

    OOM_GPU = "OOM_GPU"
    OOM_HOST = "OOM_HOST"
    NAN = "NAN"
    TIMEOUT = "TIMEOUT"
    HANG = "HANG"
    GPU_LOST = "GPU_LOST"
    PREEMPTED = "PREEMPTED"
    DISK = "DISK"
    CKPT_CORRUPT = "CKPT_CORRUPT"
    DATA = "DATA"
    USER_CODE = "USER_CODE"
    LOST = "LOST"


class Columns(Closed):
    """Names of the data's columns; None means "find out" (in a draft) or "this task has no such column"."""

    text: str | None = None
    label: str | None = None
    prompt: str | None = None
    completion: str | None = None
    messages: str | None = None
    chosen: str | None = None
    rejected: str | None = None


class Range(Closed):
    """Search between two numbers, both included."""

    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> "Range":
        if self.low > self.high:
            raise ValueError(f"low <= high must hold, got low={self.low}, high={self.high}")
        return self


class Choices(Closed):
    """Search among listed values."""

    choices: Annotated[tuple[Scalar, ...], Field(min_length=1)]


SearchValue = Scalar | Range | Choices
"""A fixed value, a range, or a list to choose from."""


class CommonSearch(Closed):
    """The hyperparameters that every task has."""

    learning_rate: SearchValue | None = None
    lora_rank: SearchValue | None = None
    lora_alpha: SearchValue | None = None
    lora_dropout: SearchValue | None = None
    target_modules: SearchValue | None = None
    batch_size: SearchValue | None = Field(None, description="effective batch: micro-batch x accumulation x devices")
    epochs: SearchValue | None = None
    weight_decay: SearchValue | None = None
    warmup_ratio: SearchValue | None = None
    scheduler: SearchValue | None = None
    max_grad_norm: SearchValue | None = None

    def stated(self) -> dict[str, SearchValue]:
        """The hyperparameters that are set, in field order."""
        return {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}

    @model_serializer(mode="wrap")
    def _only_stated(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        return {name: value for name, value in handler(self).items() if value is not None}


if TYPE_CHECKING:

    class Search(CommonSearch):
        """Those, and what `TERMS` declares."""

else:
    Search = create_model(
        "Search",
        __base__=CommonSearch,
        __module__=__name__,
        __doc__="What the user says about hyperparameters, on top of the default space. Unset ones keep their default "
        "range.",
        **{
            name: (SearchValue | None, Field(None, description=description))
            for terms in TERMS.values()
            for name, description in terms.hyperparameters.items()
        },
    )


class Data(Closed):
    """Where the rows are: local paths, hub ids, or `stdlib:` names of the built-in sets. Missing splits are cut."""

    train: str
    validation: str | None = None
    test: str | None = None
    columns: Columns = Columns()


class Objective(Closed):
    """What a study optimises."""

    metric: Metric
    direction: Direction
    target: float | None = Field(None, description="stop the search once the validation score reaches this")
    tradeoffs: Tradeoffs = Field(
        (),
        description="costs that the search weighs against the metric: train_seconds (training alone, on one device), "
        "peak_memory_mb (GPU memory, or the worker's resident memory on CPU), adapter_mb (trained weights as saved). "
        "It then looks for the best compromises, and no trial is stopped early unless budget.early_stopping asks for "
        "it; what is handed back is still the best by the metric, and the report shows the compromises",
    )


class Budget(Closed):
    """Limits of a study; None means no limit of that kind. Failed trials count."""

    trials: Annotated[int, Field(ge=1, le=10_000)]
    seconds: Annotated[float, Field(gt=0)] | None = None
    llm_usd: Annotated[float, Field(ge=0)] | None = None
    parallel_trials: Annotated[int, Field(ge=1, le=1024)] = 1
    early_stopping: bool | None = Field(
        None,
        description="stop hopeless trials at rungs, and the search once nothing more is to be expected; "
        "None: where that can save time; false: every trial runs to its end and every trial of the budget is used",
    )


class Constraints(Closed):
    """Hard limits on every trial."""

    max_vram_gb: Annotated[float, Field(gt=0)] | None = None
    max_seq_length: Annotated[int, Field(ge=8, le=1_048_576)] | None = None
    max_adapter_mb: Annotated[float, Field(gt=0)] | None = None


class Output(Closed):
    """What is handed back, and where."""

    dir: str | None = None
    merge: bool = False


class TaskSpec(Closed):
    """A request, resolved: the same request, data and seed give the same study."""

    intent: Intent = Intent.TRAIN
    task: Task
    base_model: str
    data: Data
    adapter: Adapter = Adapter.LORA
    loss: Loss | None = None
    objective: Objective
    budget: Budget
    search: Search = Search()
    constraints: Constraints = Constraints()
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    output: Output = Output()
    warm_start: str | None = Field(
        None,
        description="past Optuna study of the same metric whose trials the search starts from: an SQLite or journal "
        "file of Optuna's, as FILE or FILE#STUDY",
    )

    @model_validator(mode="after")
    def _consistent(self) -> "TaskSpec":
        metrics, losses = TERMS[self.task].metrics, TERMS[self.task].losses
        if self.loss not in (losses or (None,)):
            choices = f"one of {', '.join(losses)}" if losses else "left out"
            raise ValueError(f"loss of a {self.task} study must be {choices}, got {self.loss}")
        if self.objective.metric not in metrics:
            choices = ", ".join(metrics)
            raise ValueError(f"metric of a {self.task} study must be one of {choices}, got {self.objective.metric}")
        return self


class TrainSpec(Closed):
    """Everything one training run needs; complete, so that equal specs on equal machines give equal weights.

    The files hold canonical rows, one JSON object a line: classification `{"text", "label": index}`; sft
    `{"prompt", "completion"}`, `{"messages": [...]}` or `{"text"}`; preference `{"prompt", "chosen", "rejected"}`.
    """

    task: Task
    base_model: str = Field(description="name shown to people")
    base_path: str = Field(description="directory or hub id that the loader opens")
    revision: str | None = Field(None, description="hub commit the base model is pinned to")
    adapter: Adapter
    loss: Loss | None = None
    config: Config
    seed: int
    train_file: Path
    validation_file: Path
    labels: tuple[str, ...] = Field((), description="class names in index order (classification)")
    columns: Columns = Field(Columns(), description="what the rows were made from; kept beside the adapter")
    class_weights: tuple[float, ...] = Field((), description="loss weight of each class; empty: all 1")
    max_seq_length: int
    micro_batch: int = Field(8, ge=1, description="largest per-device batch; accumulation makes up the rest")
    device: Literal["cpu", "cuda"] = "cpu"
    precision: Literal["fp32", "bf16"] = "fp32"
    n_evaluations: int = Field(4, ge=0, description="validation-loss points on the learning curve, evenly spread")
    evaluate_at: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        (), description="shares of the run after which validation loss is measured, instead of `n_evaluations` points"
    )
    max_steps: int | None = Field(None, description="stop after this many optimizer steps of the full schedule")
    output_dir: Path = Field(description="where the adapter is written; the run may use it for scratch files too")


class CurvePoint(Closed):
    """One logged optimizer step; None where that step did not measure the value."""

    step: int
    loss: float | None = None
    eval_loss: float | None = None
    learning_rate: float | None = None
    grad_norm: float | None = None


class TrainResult(Closed):
    """What one training run measured."""

    steps: int
    epochs: float
    train_loss: float
    eval_loss: float | None
    train_seconds: float = Field(description="wall time inside the training loop, evaluations excluded")
    tokens_per_second: float
    peak_memory_mb: float = Field(description="peak allocated GPU memory, or peak resident memory on CPU")
    trainable_parameters: int
    micro_batch: int
    gradient_accumulation: int
    curve: tuple[CurvePoint, ...] = ()
    n_train_rows: int
    n_truncated: int = Field(0, description="training rows longer than max_seq_length, cut to it")
    n_dropped: int = Field(0, description="training rows left out because nothing of their target was left")
    deviations: tuple[str, ...] = Field((), description="what was done otherwise than asked, one sentence each")
