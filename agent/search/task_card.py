"""What a proposer may know of the job: enums and numbers, never names or text from the user's data."""

from agent.request.plan import Plan
from trainers.spec import Adapter, Closed, Direction, Loss, Metric, Task, TaskSpec


class TaskCard(Closed):
    """Enough to pick published settings and to brief the planner LLM; everything but the task may be unknown."""

    task: Task
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


def task_card(plan: Plan) -> TaskCard:
    """The card of a plan that is ready."""
    spec, data, base = plan.spec, plan.data, plan.base
    if not isinstance(spec, TaskSpec):
        raise ValueError("the plan is not ready: its spec is still a draft")
    counts = data.label_counts.values() if data else ()
    return TaskCard(
        task=spec.task,
        adapter=spec.adapter,
        loss=spec.loss,
        metric=spec.objective.metric,
        direction=spec.objective.direction,
        n_train_rows=data.splits.train if data else None,
        n_classes=len(data.labels) or None if data else None,
        largest_class_share=round(max(counts) / sum(counts), 3) if counts and sum(counts) else None,
        tokens_p50=data.lengths.p50 if data else None,
        tokens_p99=data.lengths.p99 if data else None,
        max_seq_length=data.lengths.max_seq_length if data else spec.constraints.max_seq_length,
        model_parameters=base.parameters if base else None,
        hidden_size=base.hidden_size if base else None,
        device=plan.device,
        precision=plan.precision,
        trials=spec.budget.trials,
        parallel_trials=spec.budget.parallel_trials,
    )
