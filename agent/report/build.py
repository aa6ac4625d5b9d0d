"""From material to report: means, intervals, the comparison and the verdict. Reads nothing but its argument."""

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from agent.report.material import Confirmed, Material
from agent.report.model import DataFingerprint, DataSource, Report, Shipped, Side, Spread, TrialCounts, TrialRow
from agent.report.pareto import quality_against_costs
from agent.request.defaults import TOY
from agent.study.nouns import Phase, Trial, TrialState
from evals.spec import EvalResult
from evals.stats import Gain, compare, half_width, interval, interval_over_seeds, optimism, seed_sd
from trainers.embedded import TINY_CAUSAL
from trainers.spec import Direction

FEW_TEST_ROWS = 200
"""Below this many rows a share has a 95 % interval wider than about 11 points; the report says so."""
NEAR_GUESSING = 0.8
"""Share of the loss of guessing (the log of the number of classes) from which on a classifier has hardly learnt."""


def build_report(material: Material, directory: Path) -> Report:
    """The report of a finished study. Some seconds for thousands of test rows (bootstrap); deterministic."""
    spec = material.spec
    search = [t for t in material.trials if t.phase is Phase.SEARCH]
    default, best = _side(material, material.default), _side(material, material.best)
    gain = _gain(material, spec.objective.direction)
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
        verdict=_verdict(material, gain),
        default=default,
        best=best,
        best_is_default=material.best_is_default,
        confirmed=tuple(_side(material, c) for c in material.confirmed),
        gain=gain,
        shipped=_shipped(material),
        test_openings=material.test_openings,
        trials=_counts(material, search),
        trial_rows=tuple(trial_row(t) for t in sorted(material.trials, key=lambda t: t.number)),
        free_hyperparameters=material.plan.space.free if material.plan.space else (),
        budget=material.spending,
        search_best_score=material.search_best_score,
        optimism=_optimism(material, search, spec.objective.direction),
        pareto=quality_against_costs(material, spec.objective),
        deviations=material.deviations,
        data=_data(material),
        environment=material.environment,
        remarks=_remarks(material),
        directory=str(directory),
    )


def _side(material: Material, candidate: Confirmed) -> Side:
    scores, tests = candidate.scores, material.tests(candidate)
    mean = fmean(scores) if scores else None
    return Side(
        config=candidate.config,
        trial_numbers=tuple(trial.number for trial in candidate.complete),
        validation=Spread(mean=mean, sd=seed_sd(scores), seeds=candidate.seeds, scores=scores),
        test_score=fmean(test.score for test in tests) if tests else None,
        test_scores=tuple(test.score for test in tests),
        ci95=interval_over_seeds(tests) if tests else None,
        others=_others(tests),
    )


def _others(results: Sequence[EvalResult]) -> dict[str, float]:
    names = set.intersection(*(set(r.others) for r in results)) if results else set()
    return {name: fmean(r.others[name] for r in results) for name in sorted(names)}


def _gain(material: Material, direction: Direction) -> Gain | None:
    """What the best gains over the default on test; exactly nothing where it is the default."""
    best, default = material.tests(material.best), material.tests(material.default)
    if not best or not default:
        return None
    if not material.best_is_default:
        return compare(best, default, best[0].metric, direction, shipped=material.shipped_place)
    return Gain(
        value=0.0,
        ci95=(0.0, 0.0),
        p_value=1.0,
        distinguishable=False,
        probability_better=0.5,
        method="none needed: the configuration handed back is the default",
        n_rows=len(default[0].items),
        n_seeds=len(default),
    )


def _verdict(material: Material, gain: Gain | None) -> str:
    if material.best_is_default:
        return "Nothing beat the default configuration on fresh seeds; the default is handed back."
    if gain is not None:
        return gain.verdict
    if not material.default.scores:
        return "The default configuration failed on every fresh seed, so the best one has nothing to be compared with."
    return "The test rows were not opened for both configurations, so no gain can be stated."


def _shipped(material: Material) -> Shipped:
    trial = material.shipped
    test, run = material.test.get(trial.trial_id), material.results.get(trial.trial_id)
    costs = {"train_seconds", "steps", "trainable_parameters", "peak_memory_mb"}
    return Shipped(
        trial_id=trial.trial_id,
        trial_number=trial.number,
        seed=trial.seed,
        adapter_dir=material.adapter_dir,
        validation_score=trial.score,
        test_score=test.score if test else None,
        ci95=interval(test) if test else None,
        **(run.model_dump(include=costs) if run else {}),
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
    fields = trial.model_dump(include=set(TrialRow.model_fields))
    return TrialRow(source=trial.proposal.source, config=trial.config, **fields)


def _optimism(material: Material, search: list[Trial], direction: Direction) -> float | None:
    """Of the configuration that had the best search score, if it was confirmed."""
    sign = direction.sign
    scored = [(sign * t.score, -t.number, t) for t in search if t.state is TrialState.COMPLETE and t.score is not None]
    if not scored:
        return None
    score, _, top = max(scored)
    again = next((c.scores for c in material.confirmed if c.config == top.config and c.scores), None)
    return None if again is None else optimism(sign * score, again, direction)


def _data(material: Material) -> DataFingerprint | None:
    data = material.plan.data
    if data is None:
        return None
    return DataFingerprint(
        sources=tuple(DataSource(**s.model_dump(include=set(DataSource.model_fields))) for s in data.sources),
        labels=data.labels,
        n_train=data.splits.train,
        n_validation=data.splits.validation,
        n_test=data.splits.test,
        train_sha256=data.splits.train_sha256,
        validation_sha256=data.splits.validation_sha256,
        test_sha256=data.splits.test_sha256,
        removed_from_train=data.duplicates.removed_from_train,
    )


def _of_training(material: Material) -> list[str]:
    """What the run of the shipped model tells: rows that were cut or left out, a loss near that of guessing."""
    run, data = material.results.get(material.shipped.trial_id), material.plan.data
    if run is None or data is None:
        return []
    lost = ((run.n_truncated, f"were cut to {data.lengths.max_seq_length} tokens"), (run.n_dropped, "were left out"))
    remarks = [f"{n:,} of {run.n_train_rows:,} training rows {what}, as they were longer." for n, what in lost if n]
    guessing = math.log(len(data.labels)) if len(data.labels) > 1 and not data.class_weights else None
    if guessing is not None and run.eval_loss is not None and run.eval_loss > NEAR_GUESSING * guessing:
        remarks.append(
            f"Its validation loss is {run.eval_loss:.2f}, and guessing has {guessing:.2f}: it has hardly learnt yet."
            " More epochs or a higher learning rate are likely to help."
        )
    return remarks


def _remarks(material: Material) -> tuple[str, ...]:
    remarks = [TOY] if material.spec.base_model == TINY_CAUSAL else []
    if material.chosen_why and not material.best_is_default:
        remarks.append(f"The configuration was chosen because of this: {material.chosen_why}.")
    remarks += _of_training(material)
    tests = material.tests(material.best)
    if tests and (rows := len(tests[0].items)) < FEW_TEST_ROWS:
        points = 100 * half_width(rows)
        remarks.append(f"The test split has {rows} rows only: a share of 0.8 is known to within {points:.0f} points.")
    if len(material.best.seeds) == 1:
        remarks.append("Only one fresh seed was run: the intervals say nothing about other seeds.")
    if material.test_openings > 1:
        remarks.append(
            f"The test split was opened {material.test_openings} times; the more often, the less its scores prove."
        )
    return tuple(remarks)
