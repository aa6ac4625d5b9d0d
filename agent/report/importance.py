"""Which hyperparameters the search's scores depend on."""

from typing import Any

from agent.report.material import Material
from agent.study.nouns import Phase, TrialState
from trainers.space import CategoricalParameter, IntParameter, Parameter
from trainers.spec import Direction

MIN_TRIALS = 6
"""With fewer scores an importance is noise."""


def hyperparameter_importance(material: Material, direction: Direction) -> dict[str, float] | str:
    """Hyperparameter to its share of the importance, by PED-ANOVA (Watanabe et al. 2023, arXiv 2304.10255).

    Computed by Optuna from the complete search trials; a sentence instead where it cannot be.
    """
    import optuna

    space = material.plan.space
    trials = [t for t in material.trials if t.phase is Phase.SEARCH and t.state is TrialState.COMPLETE]
    if space is None or len(trials) < MIN_TRIALS:
        return f"Importance needs {MIN_TRIALS} complete search trials or more; there were {len(trials)}."
    if len({t.score for t in trials}) == 1:
        return "Importance cannot be told: all scores are equal."
    distributions = {name: _distribution(space.parameters[name]) for name in space.free}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction=str(direction))
    for trial in trials:
        params = {n: _clamped(space.parameters[n], v) for n, v in trial.config.items() if n in distributions}
        study.add_trial(
            optuna.trial.create_trial(
                params=params, distributions={n: distributions[n] for n in params}, value=trial.score
            )
        )
    try:
        found = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
        )
    except (ValueError, RuntimeError) as error:  # all scores equal, or no hyperparameter with two values
        return f"Importance could not be computed: {error}"
    if not found or not sum(found.values()) > 0:
        return "No hyperparameter stood out: the scores do not depend on them in this study."
    return {name: float(share) for name, share in found.items()}


def _distribution(parameter: Parameter) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(parameter, CategoricalParameter):
        return CategoricalDistribution(parameter.choices)
    kind = IntDistribution if isinstance(parameter, IntParameter) else FloatDistribution
    return kind(parameter.low, parameter.high, log=parameter.log)


def _clamped(parameter: Parameter, value: Any) -> Any:
    """A rounded bound may lie just outside the range, which Optuna refuses."""
    if isinstance(parameter, CategoricalParameter):
        return value
    return min(max(value, parameter.low), parameter.high)
