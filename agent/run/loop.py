"""A study from its plan to its report: propose, schedule, execute, record, decide; then confirm and report.

Everything it knows between two steps is in the store, so any process may take a study up where another left it.
"""

import os
from collections import Counter
from contextlib import suppress

from agent.errors import BudgetSpent, ObserverGone, StudyFailed, TunewrightError
from agent.run import confirm
from agent.run.budget import Ledger
from agent.run.executor import Executor
from agent.run.propose import prefetch, propose
from agent.run.run import BuildProposer, CancelRequested, Run
from agent.run.rungs import asked_in_vain
from agent.run.schedule import Scheduler
from agent.search.proposer import Proposer, close
from agent.study.lock import owning
from agent.study.nouns import EventKind, History, Observer, Phase, Study, StudyState, Trial, TrialState
from agent.study.rows import StoreFull
from agent.study.store import Store
from trainers.spec import Direction, FailureReason

ALL_FAILED = 5
"""A study ends when its first trials all failed, this many or all there are."""

MIN_FOR_SHARE, MAX_FAILED_SHARE = 10, 0.3
"""It also ends when more than this share of at least so many trials failed for one reason that is not a
hyperparameter's doing (Ax stops at half of 5; Ray's users ask for earlier)."""

NOT_THE_CONFIG = (FailureReason.DATA, FailureReason.DISK, FailureReason.USER_CODE, FailureReason.LOST)


def run_study(
    study_id: str,
    *,
    store: Store,
    executor: Executor,
    proposer: Proposer,
    observer: Observer,
    open_test: confirm.OpenTest,
    write_report: confirm.WriteReport,
    rebuild: BuildProposer | None = None,
) -> Study:
    """Carry a study out, or on from where it stopped, up to its report; the study as it stands then.

    Its state is DONE, or CANCELLED when another process asked for it, also before this call (see
    `Store.withdraw_cancel`). Ctrl-C and an observer that fails (ObserverGone) leave the study CANCELLED and are raised
    again. Raises StoreConflict when another process runs the study, StudyFailed and BudgetSpent when there is nothing
    to report. Whatever ends it, finished trials are kept and resuming goes on.

    `rebuild` makes the proposer over a wider space, where bounds may be moved out by rule
    (`agent/search/space_edits.py`); without it the space stays as planned. The proposer may `prefetch` and
    `close` (`agent/search/proposer.py`).
    """
    study = store.study(study_id)
    with owning(study.directory):
        study = store.study(study_id)  # another process may have finished it before the lock was ours
        if study.state is StudyState.DONE:
            return study
        run = _take_over(study, store, executor, proposer, observer, rebuild)
        with run.ledger.session():
            try:
                _begin(run)
                search(run)
                choice = confirm.confirm(run)
                confirm.report(run, choice, open_test, write_report)
            except BaseException as error:
                return _give_up(run, error)
            finally:
                close(run.proposer)
        run.emit(EventKind.STUDY_ENDED, state=StudyState.DONE, error=None)
        return store.study(study_id)


def search(run: Run) -> None:
    """Propose, schedule, execute, record, decide: until the budget, the target or the proposer says that is all."""
    if run.store.trials(run.study_id, Phase.CONFIRM):
        return  # over before a restart
    run.enter(StudyState.SEARCHING)
    no_more: str | None = None
    while True:
        history = run.store.history(run.study_id)
        circuit_breaker(history, run.study.spec.budget.trials, run.failed_before)
        why_stop = reason_to_stop(run, history)
        if why_stop is None:
            no_more = no_more or propose(run, history)
            if start_waiting(run) and no_more is None:
                prefetch(run)
        if run.scheduler.idle:
            break
        for trial in run.step():
            announce_best(run, trial)
    run.emit(EventKind.SEARCH_STOPPED, why=why_stop or no_more, trials_unspent=run.ledger.trials_left())
    require_a_score(run)


def reason_to_stop(run: Run, history: History) -> str | None:
    """Why no further search trial may begin; None if one may."""
    target, best = run.study.spec.objective.target, history.best
    if target is not None and best is not None and best.score is not None:
        maximize = history.direction is Direction.MAXIMIZE
        level = history.mean_score(best.config) or best.score
        if level >= target if maximize else level <= target:
            return f"trial {best.number} reached the target {target:g} with {level:.4g}"
    if not run.ledger.may_start_search_trial(run.scheduler.slots):
        return "the time left is kept for confirmation and the report"
    return None


def start_waiting(run: Run) -> bool:
    """Give free slots to waiting search trials, in order of their numbers; whether any was started."""
    trials = run.store.trials(run.study_id, Phase.SEARCH)
    starting = [t for t in trials if t.state is TrialState.WAITING][: run.scheduler.free]
    for trial in starting:
        timeout = run.ledger.search_seconds_left(run.scheduler.slots)
        run.scheduler.start(trial, keep_adapter=False, timeout_seconds=timeout)
    return bool(starting)


def circuit_breaker(history: History, n_trials: int, ignored: frozenset[str] = frozenset()) -> None:
    """Raise StudyFailed, with the first error, once going on is pointless. Failures named in `ignored` do not count."""
    failed = [t for t in history.failed if t.trial_id not in ignored]
    over = len(history.complete) + len(failed)
    if not failed:
        return
    reasons = Counter(t.reason for t in failed if t.reason in NOT_THE_CONFIG)
    reason, count = reasons.most_common(1)[0] if reasons else (None, 0)
    first = failed[0]
    if len(failed) == over and over >= min(ALL_FAILED, n_trials - len(ignored)):
        raise StudyFailed(f"all {over} trials so far failed. The first error ({first.reason}): {first.error}")
    if over >= MIN_FOR_SHARE and count > MAX_FAILED_SHARE * over:
        first = next(t for t in failed if t.reason is reason)
        raise StudyFailed(f"{count} of {over} trials failed with {reason}. The first error: {first.error}")


def require_a_score(run: Run) -> None:
    """Raise StudyFailed or BudgetSpent if the search ended without any score."""
    history = run.store.history(run.study_id)
    if history.complete:
        return
    first = next(iter(history.failed), None)
    words = "" if first is None else f" The first error ({first.reason}): {first.error}"
    limit = run.study.spec.budget.seconds
    if limit is not None and (first is None or first.reason is FailureReason.TIMEOUT):
        raise BudgetSpent(
            f"the time budget of {limit:g} s ended before any trial was complete. Start anew with more time "
            f"(--seconds) or less to do (fewer rows or epochs, a smaller model).{words}"
        )
    raise StudyFailed(f"all {len(history.failed)} trials failed.{words}")


def announce_best(run: Run, trial: Trial) -> None:
    """Tell when a trial is the best of the search so far."""
    best = run.store.history(run.study_id).best
    if best is not None and best.trial_id == trial.trial_id:
        run.emit(EventKind.NEW_BEST, trial.trial_id, score=trial.score)


def _take_over(
    study: Study,
    store: Store,
    executor: Executor,
    proposer: Proposer,
    observer: Observer,
    rebuild: BuildProposer | None,
) -> Run:
    """Make this process the study's owner; a space that was widened before gets its proposer."""
    store.take_over(study.study_id, os.getpid())
    failed = store.history(study.study_id).failed
    run = Run(
        study=store.study(study.study_id),
        store=store,
        ledger=Ledger(store, study.study_id),
        scheduler=Scheduler(store, executor, study, lambda *event, **data: run.emit(*event, **data)),
        proposer=proposer,
        observer=observer,
        rebuild=rebuild,
        failed_before=frozenset(t.trial_id for t in failed),
    )
    if rebuild is not None and run.n_widened:
        close(run.proposer)
        run.proposer = rebuild(run.space)
    return run


def _begin(run: Run) -> None:
    """Put what a dead owner left running back to waiting, and tell that the study goes on unless it is to stop."""
    interrupted = run.store.interrupt_attempts(run.study_id)
    run.emit(EventKind.STUDY_STARTED, pid=os.getpid(), interrupted=[t.trial_id for t in interrupted])
    if sentence := asked_in_vain(run.study.spec, run.space):
        run.emit(EventKind.DEVIATION, sentence=sentence)
    run.check_cancel()


def _give_up(run: Run, error: BaseException) -> Study:
    """Stop what runs and write down why the study stopped; raises `error` unless it is a cancel request."""
    stopped = isinstance(error, KeyboardInterrupt | CancelRequested | ObserverGone)
    state = StudyState.CANCELLED if stopped else StudyState.FAILED
    message = str(error) or type(error).__name__
    try:
        run.scheduler.stop()
        run.store.set_state(run.study_id, state, None if stopped else message)
        with suppress(ObserverGone):
            code = error.code if isinstance(error, TunewrightError) else None
            run.emit(EventKind.STUDY_ENDED, state=state, error=message, code=code)
    except StoreFull as full:
        raise full from error
    if isinstance(error, CancelRequested):
        return run.store.study(run.study_id)
    raise error
