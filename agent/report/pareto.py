"""Quality against costs: which configurations are worth a look because none is better and cheaper at once."""

from collections.abc import Sequence
from statistics import fmean

from agent.report.material import Material
from agent.report.model import Compromise, Pareto
from agent.study.nouns import Costs, Phase, Trial, TrialState, by_config
from trainers.spec import Objective, Tradeoff

MIN_CONFIGS = 3
"""With fewer configurations there is nothing to choose from."""

COST_DIGITS = 2
"""Costs are compared as rounded to so many significant digits: a tenth of a second is noise of the clock."""


def quality_against_costs(material: Material, objective: Objective) -> Pareto | None:
    """The non-dominated configurations and the others; None while fewer than `MIN_CONFIGS` know what they cost.

    Compared are the metric and the costs that the search weighed; training time where it weighed none.
    """
    sign = -objective.direction.sign
    best_first = sorted(_compromises(material), key=lambda c: (sign * c.quality, c.trial_number))
    if len(best_first) < MIN_CONFIGS:
        return None
    costs = objective.tradeoffs or (Tradeoff.TRAIN_SECONDS,)
    front = non_dominated([(sign * c.quality, *(_rounded(c.costs.of(cost)) for cost in costs)) for c in best_first])
    return Pareto(
        costs=costs,
        weighed=bool(objective.tradeoffs),
        front=tuple(best_first[i] for i in front),
        others=tuple(c for i, c in enumerate(best_first) if i not in front),
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
    measured = [t for t in material.trials if t.state is TrialState.COMPLETE and t.score is not None and t.costs]
    return [_compromise(material, trials) for trials in by_config(measured)]


def _compromise(material: Material, trials: Sequence[Trial]) -> Compromise:
    fresh = [t for t in trials if t.phase is Phase.CONFIRM]
    counted, config = fresh or trials, trials[0].config
    costs = [t.costs for t in counted if t.costs is not None]
    return Compromise(
        trial_number=min(t.number for t in trials),
        config=config,
        quality=fmean(t.score or 0.0 for t in counted),
        n_seeds=len(counted),
        confirmed=bool(fresh),
        costs=Costs(**{cost.value: fmean(c.of(cost) for c in costs) for cost in Tradeoff}),
        is_default=config == material.default.config,
        is_best=config == material.best.config,
    )


def _rounded(cost: float) -> float:
    return float(f"{cost:.{COST_DIGITS}g}")
