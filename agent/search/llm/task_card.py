"""What a proposer may know of the job: enums and numbers, never names or text from the user's data."""

from collections.abc import Collection

from agent.request.plan import Plan
from prompts.history import number_text
from trainers.spec import Adapter, Closed, Direction, Loss, Metric, Task, TaskSpec


class TaskCard(Closed):
    """Enough to pick published settings and to brief the planner LLM. Everything may be unknown: published settings
    need the task, and the LLM is told only what was set."""

    task: Task | None = None
    description: str | None = None
    """The job in words, for a benchmark's problem; never words of a user."""
    adapter: Adapter = Adapter.LORA
    loss: Loss | None = None
    metric: Metric | None = None
    direction: Direction = Direction.MAXIMIZE
    n_train_rows: int | None = None
    n_classes: int | None = None
    largest_class_share: float | None = None
    tokens_p50: int | None = None
    tokens_p99: int | None = None
    max_seq_length: int | None = None
    model_parameters: int | None = None
    hidden_size: int | None = None
    device: str = "cpu"
    precision: str = "fp32"
    trials: int | None = None
    parallel_trials: int = 1
    score: str | None = None
    """What a trial's score is, where it is not the metric itself."""

    def lines(self, only: Collection[str] = ()) -> list[tuple[str, str]]:
        """(name, value) of what is known of the job, of `only` these where given: how long it runs is left out, and so
        are the card's own defaults, which nobody stated."""
        length = {"trials", "parallel_trials"}
        fields = self.model_dump(mode="json", exclude_none=True, exclude_unset=True, exclude=length)
        return [(name, number_text(value)) for name, value in fields.items() if not only or name in only]


def card_of_spec(spec: TaskSpec) -> TaskCard:
    """The card as far as the spec alone tells. Where costs are weighed, scores are `agent.search.tradeoff`'s."""
    objective, costs = spec.objective, ", ".join(spec.objective.tradeoffs)
    blend = f"blend of the validation {objective.metric} and low {costs}; 1 is best, the weights vary"
    return TaskCard(
        task=spec.task,
        adapter=spec.adapter,
        loss=spec.loss,
        metric=None if costs else objective.metric,
        direction=Direction.MAXIMIZE if costs else objective.direction,
        score=blend if costs else None,
        max_seq_length=spec.constraints.max_seq_length,
        trials=spec.budget.trials,
        parallel_trials=spec.budget.parallel_trials,
    )


def task_card(plan: Plan) -> TaskCard:
    """The card of a plan that is ready: its spec, and what is known of data, model and machine."""
    if not isinstance(plan.spec, TaskSpec):
        raise ValueError("the plan is not ready: its spec is still a draft")
    facts: dict[str, object] = {"device": plan.device, "precision": plan.precision}
    if plan.base is not None:
        facts |= {"model_parameters": plan.base.parameters, "hidden_size": plan.base.hidden_size}
    if plan.data is not None:
        counts, lengths = plan.data.label_counts.values(), plan.data.lengths
        facts |= {
            "n_train_rows": plan.data.splits.train,
            "n_classes": len(plan.data.labels) or None,
            "largest_class_share": round(max(counts) / sum(counts), 3) if sum(counts) else None,
            "tokens_p50": lengths.p50,
            "tokens_p99": lengths.p99,
            "max_seq_length": lengths.max_seq_length,
        }
    return card_of_spec(plan.spec).model_copy(update=facts)
