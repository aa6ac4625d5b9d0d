"""After the search: fresh seeds for the top configurations and the default, a choice, and the one look at test.

The search's best score is the best of many noisy ones and is not used again. What is handed back is chosen on the
validation scores of seeds that no search trial saw, the same for every candidate (paired).
"""

import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev

from agent.errors import BudgetSpent, StudyFailed
from agent.report.material import Confirmed, Material
from agent.run.budget import N_CHALLENGERS, N_CONFIRM_SEEDS, confirm_candidates
from agent.run.collect import Chosen, collect
from agent.run.run import Run
from agent.run.schedule import evaluation
from agent.study.nouns import (
    EventKind,
    Phase,
    Proposal,
    StudyState,
    Trial,
    TrialState,
    by_config,
    derived_seed,
    report_directory,
)
from evals.spec import EvalResult
from tools.attempt import Failed
from tools.open_test import OpenedTest, OpenTestSpec
from trainers.spec import Direction, FailureReason, TrainResult

OpenTest = Callable[[OpenTestSpec], OpenedTest]
WriteReport = Callable[[Material, Path], object]


def confirm(run: Run) -> Chosen:
    """Run the candidates on fresh seeds and choose; adapters of the default and the chosen one are kept.

    Raises StudyFailed if no candidate got through, BudgetSpent if that was for want of time.
    """
    run.enter(StudyState.CONFIRMING)
    if not run.store.trials(run.study_id, Phase.CONFIRM):
        _plan(run)
    _carry_out(run)
    trials = run.store.trials(run.study_id, Phase.CONFIRM)
    choice = choose(group(trials), run.study.spec.objective.direction, run.store.results(run.study_id))
    for candidate, why in choice.dropped:
        run.emit(EventKind.CANDIDATE_DROPPED, config=candidate.config, why=why)
    shipped = choice.shipped
    run.emit(EventKind.CHOSEN, shipped.trial_id, config=shipped.config, score=shipped.score, why=choice.why)
    _delete_adapters(run, trials, keep={*choice.default.trial_ids, *choice.best.trial_ids})
    return choice


def report(run: Run, choice: Chosen, open_test: OpenTest, write_report: WriteReport) -> None:
    """Open the test split (unless an earlier run got its results), hand out the adapter, write the report."""
    run.enter(StudyState.REPORTING)
    results = _test_results(run, choice, open_test)
    directory = report_directory(run.study)
    adapter = _hand_out(Path(choice.shipped.adapter_dir or ""), directory / "adapter")
    run.store.add_artifact(run.study_id, "adapter", str(adapter), choice.shipped.trial_id)
    material = collect(run.study, run.store, run.ledger.spending(), choice, results, adapter)
    write_report(material, directory)
    run.store.add_artifact(run.study_id, "report", str(directory))
    run.emit(EventKind.REPORT_WRITTEN, directory=str(directory))
    run.enter(StudyState.DONE)


def group(trials: list[Trial]) -> list[Confirmed]:
    """Confirm trials by configuration, the default first."""
    return [Confirmed(trials=members) for members in by_config(trials)]


def choose(candidates: list[Confirmed], direction: Direction, results: dict[str, TrainResult]) -> Chosen:
    """The candidate to hand back, and its trial with the best validation score. The first candidate is the default.

    Every candidate must have come through on every seed the default came through on; a seed that the time budget cut
    off for one of them counts for none while there is another. The best mean wins unless the default is within one
    standard error of the paired differences (Breiman's one-standard-error rule); among other candidates within it, the
    one that trained the fewest parameters for the fewest steps.
    """
    default, *others = candidates
    late = {t.seed for c in candidates for t in c.trials if t.reason is FailureReason.TIMEOUT}
    seeds = default.seeds or max((c.seeds for c in others), key=len, default=())
    seeds = tuple(s for s in seeds if s not in late) or seeds
    if not seeds and late:
        raise BudgetSpent(f"the time budget ended before anything was confirmed on a fresh seed: {default.first_error}")
    if not seeds:
        raise StudyFailed(f"no configuration could be trained on a fresh seed. The first error: {default.first_error}")
    default = default.on(seeds)
    whole = [c.on(seeds) for c in others if set(seeds) <= set(c.seeds)]
    dropped = [(c, c.first_error) for c in others if not set(seeds) <= set(c.seeds)]
    sign = direction.sign
    running = [c for c in (default, *whole) if c.scores]
    leader = max(running, key=lambda c: sign * mean(c.scores))
    tied = [c for c in running if c is not leader and _within_one_error(leader, c, sign)]
    best, why = leader, "the best mean validation score on fresh seeds"
    if leader is default or default in tied:
        best = default
        why = "nothing beat the default by more than one standard error on fresh seeds"
    elif tied:
        best = min((leader, *tied), key=lambda c: _cost(c, results))
        why = why if best is leader else "within one standard error of the best, and cheaper to train"
    shipped = max((t for t in best.complete if t.seed in seeds), key=lambda t: (sign * (t.score or 0.0), -t.number))
    return Chosen(
        default=default, best=best, confirmed=(default, *whole), dropped=tuple(dropped), shipped=shipped, why=why
    )


def _plan(run: Run) -> None:
    """Store the confirm trials, all at once: (top configurations + default) x fresh seeds, as time allows."""
    tops = confirm_candidates(run.store.history(run.study_id))
    slots, n_tops = run.scheduler.slots, len(tops)
    n_seeds = run.ledger.confirm_seeds(tops, slots)
    while n_seeds < 2 and len(tops) > 2:
        tops = tops[:-1]
        n_seeds = run.ledger.confirm_seeds(tops, slots)
    n_seeds = max(1, n_seeds)
    seeds = _fresh_seeds(run, n_seeds)
    pairs = [
        (Proposal(config=top.config, source="confirm", why=f"trial {top.number} on a fresh seed"), seed)
        for seed in seeds  # seed by seed: what an early end leaves is still paired
        for top in tops
    ]
    if shortened := _shortened(n_seeds, len(tops), n_tops):
        run.emit(EventKind.DEVIATION, sentence=shortened)
    run.add_trials(Phase.CONFIRM, pairs)
    run.emit(EventKind.CONFIRM_PLANNED, seeds=seeds, configs=[top.config for top in tops])


def _shortened(n_seeds: int, n_candidates: int, n_tops: int) -> str | None:
    if n_seeds == N_CONFIRM_SEEDS and n_candidates == n_tops:
        return None
    return (
        f"The time budget allowed {n_seeds} confirm seed(s) for {n_candidates} configuration(s), the default included, "
        f"instead of {N_CONFIRM_SEEDS} for {min(n_tops, 1 + N_CHALLENGERS)}."
    )


def _fresh_seeds(run: Run, count: int) -> list[int]:
    """Seeds of the study that no search trial used."""
    used = {t.seed for t in run.store.trials(run.study_id)}
    fresh: list[int] = []
    counter = 0
    while len(fresh) < count:
        seed = derived_seed(run.study.spec.seed, "confirm", counter)
        counter += 1
        if seed not in used:
            used.add(seed)
            fresh.append(seed)
    return fresh


def _carry_out(run: Run) -> None:
    while True:
        trials = run.store.trials(run.study_id, Phase.CONFIRM)
        waiting = [t for t in trials if t.state is TrialState.WAITING]
        if waiting and run.scheduler.free and _time_is_over(run, trials):
            _give_up_waiting(run, waiting)
            waiting = []
        for trial in waiting[: run.scheduler.free]:
            run.scheduler.start(trial, keep_adapter=True, timeout_seconds=run.ledger.seconds_left())
        if run.scheduler.idle:
            return
        run.step()


def _time_is_over(run: Run, trials: list[Trial]) -> bool:
    """Whether no further confirm run may begin: no time is left, or, once a seed is whole, too little for one more."""
    left = run.ledger.seconds_left()
    if left is None:
        return False
    open_seeds = {t.seed for t in trials if t.state in (TrialState.WAITING, TrialState.RUNNING)}
    a_seed_is_whole = any(t.seed not in open_seeds for t in trials)
    return left <= (run.ledger.trial_seconds() if a_seed_is_whole else 0.0)


def _give_up_waiting(run: Run, waiting: list[Trial]) -> None:
    """Close the confirm trials that no time is left for."""
    why = "not started: the time budget was used up"
    for trial in waiting:
        with run.store.tx():
            attempt_id = run.store.start_attempt(trial.trial_id, run.study.plan.device)
            run.store.fail_attempt(Failed(attempt_id=attempt_id, reason=FailureReason.TIMEOUT, message=why))
        run.emit(EventKind.TRIAL_FAILED, trial.trial_id, reason=FailureReason.TIMEOUT, error=why)
    sentence = f"The time budget was used up during confirmation: {len(waiting)} of its runs were not started."
    run.emit(EventKind.DEVIATION, sentence=sentence)


def _within_one_error(leader: Confirmed, other: Confirmed, sign: float) -> bool:
    gains = [sign * (a - b) for a, b in zip(leader.scores, other.scores, strict=True)]
    error = stdev(gains) / math.sqrt(len(gains)) if len(gains) > 1 else 0.0
    return mean(gains) <= error


def _cost(candidate: Confirmed, results: dict[str, TrainResult]) -> int:
    measured = [results[trial_id] for trial_id in candidate.trial_ids if trial_id in results]
    return max((r.steps * r.trainable_parameters for r in measured), default=0)


def _delete_adapters(run: Run, trials: list[Trial], keep: set[str]) -> None:
    for trial in trials:
        if trial.adapter_dir and trial.trial_id not in keep:
            shutil.rmtree(trial.adapter_dir, ignore_errors=True)
            run.store.forget_adapter(trial.trial_id)


def _test_results(run: Run, choice: Chosen, open_test: OpenTest) -> dict[str, EvalResult]:
    """Trial id to scores on test of the default and the chosen configuration."""
    models = {t.trial_id: Path(t.adapter_dir or "") for c in (choice.default, choice.best) for t in c.complete}
    for opening in run.store.test_openings(run.study_id):
        if opening.results is not None and set(models) <= set(opening.results):
            return opening.results
    data = run.study.plan.data
    if data is None:
        raise TypeError(f"study {run.study_id} holds a plan without data")
    file = run.study.directory / "data" / "sealed" / "test.jsonl"
    spec = OpenTestSpec(evaluate=evaluation(run.study, file), test_sha256=data.splits.test_sha256, models=models)
    number = run.store.record_opening(run.study_id, list(models))
    run.emit(EventKind.TEST_OPENED, opening=number, trial_ids=list(models))
    results = open_test(spec).results
    run.store.record_test_results(number, results)
    return results


def _hand_out(adapter: Path, destination: Path) -> Path:
    """Copy the adapter to where the user finds it, complete or not at all."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    unfinished = destination.with_name(f".{destination.name}.{os.getpid()}")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(adapter, unfinished)
    shutil.rmtree(destination, ignore_errors=True)
    unfinished.rename(destination)
    return destination
