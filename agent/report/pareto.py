"""Quality against costs: which configurations are worth a look because none is better and cheaper at once."""

from collections.abc import Sequence
from statistics import fmean

from agent.report.material import Material
from agent.report.model import Compromise, Pareto
from agent.study.nouns import Costs, Phase, Trial, TrialState, config_key
from trainers.spec import Direction, Objective, Tradeoff

MIN_CONFIGS = 3
"""With fewer configurations there is nothing to choose from."""

COST_DIGITS = 2
"""Costs are compared as rounded to so many significant digits: a tenth of a second is noise of the clock."""


def quality_against_costs(material: Material, objective: Objective) -> Pareto | None:
    """The non-dominated configurations and the others; None while fewer than `MIN_CONFIGS` know what they cost.

    Compared are the metric and the costs that the search weighed; training time where it weighed none.
    """
    found = _compromises(material)
    if len(found) < MIN_CONFIGS:
        return None
    costs = objective.tradeoffs or (Tradeoff.TRAIN_SECONDS,)
    sign = -1.0 if objective.direction is Direction.MAXIMIZE else 1.0
    front = set(non_dominated([(sign * c.quality, *(_rounded(c.costs.of(cost)) for cost in costs)) for c in found]))
    best_first = sorted(range(len(found)), key=lambda i: (sign * found[i].quality, found[i].trial_number))
    return Pareto(
        costs=costs,
        weighed=bool(objective.tradeoffs),
        front=tuple(found[i] for i in best_first if i in front),
        others=tuple(found[i] for i in best_first if i not in front),
    )


def non_dominated(points: Sequence[tuple[float, ...]]) -> list[int]:
    """Indices of the points, less is better in every place, that no other point dominates; equal ones stay together.

    One point dominates another if it is nowhere worse and somewhere better.
    """
    return [
        i
        for i, point in enumerate(points)
        if not any(other != point and all(a <= b for a, b in zip(other, point, strict=True)) for other in points)
    ]


def _compromises(material: Material) -> list[Compromise]:
    """One for each configuration with scores and costs: from its fresh seeds where it was confirmed, else the search's.

    The search's score of a confirmed configuration is left out: it was chosen for being high.
    """
    groups: dict[str, list[Trial]] = {}
    for trial in material.trials:
        if trial.state is TrialState.COMPLETE and trial.score is not None and trial.costs is not None:
            groups.setdefault(config_key(trial.config), []).append(trial)
    found = []
    for trials in groups.values():
        fresh = [t for t in trials if t.phase is Phase.CONFIRM]
        counted = fresh or trials
        found.append(
            Compromise(
                trial_number=min(t.number for t in trials),
                config=trials[0].config,
                quality=fmean(t.score or 0.0 for t in counted),
                n_seeds=len(counted),
                confirmed=bool(fresh),
                costs=_mean_costs([t.costs for t in counted if t.costs is not None]),
                is_default=trials[0].config == material.default.config,
                is_best=trials[0].config == material.best.config,
            )
        )
    return found


def _mean_costs(costs: Sequence[Costs]) -> Costs:
    return Costs(**{cost.value: fmean(c.of(cost) for c in costs) for cost in Tradeoff})


def _rounded(cost: float) -> float:
    return float(f"{cost:.{COST_DIGITS}g}")
