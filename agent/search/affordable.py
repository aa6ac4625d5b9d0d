"""Which configurations time and memory allow, by the analytic model of the plan's estimate; a filter on all sources."""

from collections.abc import Callable

from agent.request.feasible import memory_limit
from agent.request.plan import Plan
from tools.estimate import trial_cost
from tools.machine import Machine
from trainers.spec import Config, TaskSpec

MAX_TIME_SHARE = 0.5
"""Of the time budget: a longer trial would leave nothing to compare it with, or no confirmation."""


def affordable(plan: Plan, machine: Machine, flops_per_second: float) -> Callable[[Config], bool]:
    """Whether one row at a time fits into memory and the trial into the time budget.

    Out of memory halves the micro-batch at the same effective batch (`trainers/fit.py`), so one row is what must fit.
    Where the model's size is not known everything counts as affordable; what fails teaches the online classifier.
    """
    base, data, spec = plan.base, plan.data, plan.spec
    if base is None or base.parameters is None or data is None or not isinstance(spec, TaskSpec):
        return lambda config: True
    limit_mb, _ = memory_limit(spec, machine)
    seconds = spec.budget.seconds

    def fits(config: Config) -> bool:
        cost = trial_cost(spec, config, base, data, machine, flops_per_second, micro_batch=1)
        return cost.memory_mb <= limit_mb and (seconds is None or cost.seconds <= MAX_TIME_SHARE * seconds)

    return fits
