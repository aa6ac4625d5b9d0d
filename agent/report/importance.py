"""Which hyperparameters the search's scores depend on."""

from agent.report.material import Material
from agent.study.nouns import Phase, TrialState
from trainers.optuna_space import optuna_trial
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
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction=str(direction))
    for trial in trials:
        study.add_trial(optuna_trial(space, trial.config, trial.score, optuna.trial.TrialState.COMPLETE))
    try:
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    except (ValueError, RuntimeError) as error:  # all scores equal, or no hyperparameter with two values
        return f"Importance could not be computed: {error}"
    if not sum(shares.values()) > 0:
        return "No hyperparameter stood out: the scores do not depend on them in this study."
    return {name: float(share) for name, share in shares.items()}
