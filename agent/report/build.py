"""From material to report: means, intervals, the comparison and the verdict. Reads nothing but its argument."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from agent.report.material import Candidate, Material
from agent.report.model import (
    DataFingerprint,
    DataSource,
    Report,
    Shipped,
    Side,
    Spread,
    TrialCounts,
    TrialRow,
)
from agent.report.pareto import quality_against_costs
from agent.study.nouns import Phase, Trial, TrialState
from evals.spec import EvalResult
from evals.stats import Gain, compare, half_width, interval, interval_over_seeds, optimism, seed_sd
from trainers.spec import Direction, TaskSpec

FEW_TEST_ROWS = 200
"""Below this many rows a share has a 95 % interval wider than about 11 points; the report says so."""


def build_report(material: Material, directory: Path) -> Report:
    """The report of a finished study. Some seconds for thousands of test rows (bootstrap); deterministic."""
    spec = spec_of(material)
    search = [t for t in material.trials if t.phase is Phase.SEARCH]
    best_is_default = material.best.config == material.default.config
    default = _side(material, material.default)
    best = default if best_is_default else _side(material, material.best)
    gain = None if best_is_default else _gain(material, spec.objective.direction)
    top = _best_of_search(search, spec.objective.direction)
    return Report(
        study_id=material.study_id,
        plan_hash=material.plan.plan_hash,
        request=material.plan.request,
        command=material.command,
        task=spec.task,
        base_model=spec.base_model,
        metric=spec.objective.metric,
        direction=spec.objective.direction,
        started_at=material.started_at,
        finished_at=material.finished_at,
        verdict=_verdict(best_is_default, default, gain),
        default=default,
        best=best,
        best_is_default=best_is_default,
        confirmed=tuple(_side(material, c) for c in material.confirmed),
        gain=_no_gain(material) if best_is_default else gain,
        shipped=_shipped(material),
        test_openings=material.test_openings,
        trials=_counts(material, search),
        trial_rows=tuple(trial_row(t) for t in sorted(material.trials, key=lambda t: t.number)),
        free_hyperparameters=material.plan.space.free if material.plan.space else (),
        budget=material.spending,
        search_best_score=material.search_best_score,
        optimism=_optimism(material, top, spec.objective.direction),
        pareto=quality_against_costs(material, spec.objective),
        deviations=material.deviations,
        data=_data(material),
        environment=material.environment,
        remarks=_remarks(material),
        directory=str(directory),
    )


def spec_of(material: Material) -> TaskSpec:
    """The resolved spec of the study. Raises TypeError for a plan that was never resolved."""
    if not isinstance(material.plan.spec, TaskSpec):
        raise TypeError(f"study {material.study_id} holds a plan that was never resolved")
    return material.plan.spec


def shipped_place(material: Material) -> int:
    """Position of the shipped trial among the best configuration's confirm trials."""
    return material.best.trial_ids.index(material.shipped_trial)


def _side(material: Material, candidate: Candidate) -> Side:
    numbers = {t.trial_id: t.number for t in material.trials}
    scores = candidate.validation
    return Side(
        config=candidate.config,
        trial_numbers=tuple(numbers[i] for i in candidate.trial_ids if i in numbers),
        validation=Spread(
            mean=fmean(scores) if scores else None, sd=seed_sd(scores), seeds=candidate.seeds, scores=scores
        ),
        test_score=fmean(r.score for r in candidate.test) if candidate.test else None,
        test_scores=tuple(r.score for r in candidate.test),
        ci95=interval_over_seeds(candidate.test) if candidate.test else None,
        others=_others(candidate.test),
    )


def _others(results: Sequence[EvalResult]) -> dict[str, float]:
    names = set.intersection(*(set(r.others) for r in results)) if results else set()
    return {name: fmean(r.others[name] for r in results) for name in sorted(names)}


def _gain(material: Material, direction: Direction) -> Gain | None:
    best, default = material.best.test, material.default.test
    if not best or not default:
        return None
    return compare(best, default, best[0].metric, direction, shipped=shipped_place(material))


def _no_gain(material: Material) -> Gain | None:
    """The gain where the default itself is handed back: exactly none."""
    tests = material.default.test
    if not tests:
        return None
    return Gain(
        value=0.0,
        ci95=(0.0, 0.0),
        p_value=1.0,
        distinguishable=False,
        probability_better=0.5,
        method="none needed: the configuration handed back is the default",
        n_rows=len(tests[0].items),
        n_seeds=len(tests),
    )


def _verdict(best_is_default: bool, default: Side, gain: Gain | None) -> str:
    if best_is_default:
        return "Nothing beat the default configuration on fresh seeds; the default is handed back."
    if gain is not None:
        return gain.verdict
    if default.validation.mean is None:
        return "The default configuration failed on every fresh seed, so the best one has nothing to be compared with."
    return "The test rows were not opened for both configurations, so no gain can be stated."


def _shipped(material: Material) -> Shipped:
    place = shipped_place(material)
    trial = next((t for t in material.trials if t.trial_id == material.shipped_trial), None)
    test = material.best.test[place] if material.best.test else None
    run = material.results.get(material.shipped_trial)
    return Shipped(
        trial_id=material.shipped_trial,
        trial_number=trial.number if trial else -1,
        seed=material.best.seeds[place],
        adapter_dir=material.adapter_dir,
        validation_score=material.best.validation[place],
        test_score=test.score if test else None,
        ci95=interval(test) if test else None,
        train_seconds=run.train_seconds if run else None,
        steps=run.steps if run else None,
        trainable_parameters=run.trainable_parameters if run else None,
        peak_memory_mb=run.peak_memory_mb if run else None,
    )


def _counts(material: Material, search: list[Trial]) -> TrialCounts:
    states = [t.state for t in search]
    return TrialCounts(
        complete=states.count(TrialState.COMPLETE),
        pruned=states.count(TrialState.PRUNED),
        failed=states.count(TrialState.FAILED),
        duplicates_avoided=material.duplicates_avoided,
        confirm=len(material.trials) - len(search),
    )


def trial_row(trial: Trial) -> TrialRow:
    """A trial as reports and plots see it."""
    return TrialRow(
        number=trial.number,
        phase=trial.phase,
        state=trial.state,
        source=trial.proposal.source,
        score=trial.score,
        reason=trial.reason,
        seconds=trial.seconds,
        config=trial.config,
    )


def _best_of_search(search: list[Trial], direction: Direction) -> Trial | None:
    sign = 1 if direction is Direction.MAXIMIZE else -1
    scored = [t for t in search if t.state is TrialState.COMPLETE and t.score is not None]
    return max(scored, key=lambda t: (sign * (t.score or 0.0), -t.number), default=None)


def _optimism(material: Material, top: Trial | None, direction: Direction) -> float | None:
    """Of the configuration that had the best search score, if it was confirmed."""
    if top is None or top.score is None:
        return None
    again = next((c for c in material.confirmed if c.config == top.config and c.validation), None)
    return None if again is None else optimism(top.score, again.validation, direction)


def _data(material: Material) -> DataFingerprint | None:
    data = material.plan.data
    if data is None:
        return None
    return DataFingerprint(
        sources=tuple(
            DataSource(name=s.name, revision=s.revision, format=s.format, n_rows=s.n_rows, sha256=s.sha256)
            for s in data.sources
        ),
        labels=data.labels,
        n_train=data.splits.train,
        n_validation=data.splits.validation,
        n_test=data.splits.test,
        train_sha256=data.splits.train_sha256,
        validation_sha256=data.splits.validation_sha256,
        test_sha256=data.splits.test_sha256,
        removed_from_train=data.duplicates.removed_from_train,
    )


def _remarks(material: Material) -> tuple[str, ...]:
    remarks = []
    rows = len(material.best.test[0].items) if material.best.test else None
    if rows is not None and rows < FEW_TEST_ROWS:
        points = 100 * half_width(rows)
        remarks.append(f"The test split has {rows} rows only: a share of 0.8 is known to within {points:.0f} points.")
    if len(material.best.seeds) == 1:
        remarks.append("Only one fresh seed was run: the intervals say nothing about other seeds.")
    if material.test_openings > 1:
        remarks.append(
            f"The test split was opened {material.test_openings} times; the more often, the less its scores prove."
        )
    return tuple(remarks)
