"""Studies and trials as cards, read from the store."""

from statistics import fmean

from agent.desk.cards import (
    BudgetCard,
    Change,
    Comparison,
    Explanation,
    LlmCallCard,
    Running,
    Scored,
    StudyCard,
    TrialCard,
)
from agent.errors import InputError
from agent.report.model import Report
from agent.report.write import read_report, result_of_study
from agent.request.markup import scalar
from agent.run.rungs import curve_digest, run_length
from agent.study.lock import owner_pid
from agent.study.nouns import (
    ENDED,
    OVER,
    EventKind,
    History,
    Phase,
    Study,
    StudyState,
    Trial,
    TrialState,
    report_directory,
)
from agent.study.rows import Row
from agent.study.store import Store
from trainers.spec import Config


def study_card(study: Study, store: Store) -> StudyCard:
    """Where `study` stands now."""
    trials = store.trials(study.study_id)
    search = [t for t in trials if t.phase is Phase.SEARCH]
    best = History(direction=study.spec.objective.direction, trials=tuple(search)).best
    used = store.balance(study.study_id, "wall_seconds")
    tokens, usd = store.llm_spending(study.study_id)
    pid = owner_pid(study.directory)
    place, paused = _in_queue(study, store, pid)
    over = pid is None and place is None
    expected = study.plan.estimate.seconds_p50
    done = study.state is StudyState.DONE
    directory = report_directory(study)
    return StudyCard(
        study=study.study_id,
        **study.model_dump(include={"state", "plan_hash", "error", "created_at", "started_at", "finished_at"}),
        state_words=state_words(study, pid, place, paused),
        request=study.plan.request,
        metric=study.spec.objective.metric,
        direction=study.spec.objective.direction,
        trials_over=sum(t.state in OVER for t in search),
        trials_failed=sum(t.state is TrialState.FAILED for t in search),
        trials_pruned=sum(t.state is TrialState.PRUNED for t in search),
        trials_limit=study.spec.budget.trials,
        confirm_over=sum(t.state in OVER for t in trials if t.phase is Phase.CONFIRM),
        best=Scored(trial=best.number, score=best.score, config=best.config)
        if best is not None and best.score is not None
        else None,
        default=next((t.score for t in trials if t.number == 0), None),
        running=tuple(_running(t, store) for t in trials if t.state is TrialState.RUNNING),
        seconds_used=used,
        seconds_limit=study.spec.budget.seconds,
        seconds_left_p50=max(0.0, expected - used) if expected is not None and not over else None,
        llm_tokens=tokens,
        llm_usd=usd,
        queue_place=place,
        paused=paused,
        running_pid=pid,
        error_code=_error_code(study, store),
        over=over,
        last_event=store.last_seq(study.study_id),
        result=result_of_study(study) if done else None,
        directory=str(study.directory),
        report_dir=str(directory) if done else None,
        adapter_dir=str(directory / "adapter") if done else None,
    )


def _error_code(study: Study, store: Store) -> str | None:
    ended = store.events(study.study_id, kind=EventKind.STUDY_ENDED) if study.state is StudyState.FAILED else []
    return ended[-1].data.get("code") if ended else None


def state_words(study: Study, pid: int | None, place: int | None, paused: bool) -> str:
    """The state for people: where it waits, who must act."""
    if paused:
        return "pausing" if pid else "paused"
    if pid is None and place is not None:
        return "queued, next" if place == 1 else f"queued, place {place}"
    if pid is None and study.state not in ENDED:
        return "waiting to be resumed" if study.started_at else "planned, not started"
    if study.cancel_requested and pid is not None:
        return "stopping"
    return _WORDS[study.state]


_WORDS = {
    StudyState.PLANNED: "starting",
    StudyState.SEARCHING: "searching",
    StudyState.CONFIRMING: "confirming on fresh seeds",
    StudyState.REPORTING: "opening the test split",
    StudyState.DONE: "done",
    StudyState.CANCELLED: "cancelled",
    StudyState.FAILED: "failed",
}


def _in_queue(study: Study, store: Store, pid: int | None) -> tuple[int | None, bool]:
    """(place among those that wait, paused); (None, False) for a study that runs or is not queued."""
    queue = store.queue()
    entry = next((e for e in queue if e.study_id == study.study_id), None)
    if entry is None or study.state is StudyState.DONE:  # it is taken off the queue in a moment
        return None, False
    if entry.paused:
        return None, True
    if pid is not None:
        return None, False
    ahead = [e for e in queue if not e.paused and e.position < entry.position]
    running = [e for e in ahead if owner_pid(study.directory.parent / e.study_id) is not None]
    return 1 + len(ahead) - len(running), False


def _running(trial: Trial, store: Store) -> Running:
    event = store.last_progress(trial.study_id, trial.trial_id)
    progress = event.data if event else {}
    measured = {name: progress[name] for name in ("step", "total_steps", "loss") if name in progress}
    return Running(trial=trial.number, phase=trial.phase, **measured)


def trial_card(trial: Trial) -> TrialCard:
    """One trial in a line."""
    return TrialCard(
        trial=trial.number,
        **trial.model_dump(include={"phase", "state", "score", "reason", "seconds", "seed"}),
        **trial.proposal.model_dump(include={"source", "config", "predicted_mean", "predicted_sd"}),
    )


def trial_of(store: Store, study: Study, number: int | None) -> Trial:
    """The trial of that number; for None the one whose configuration a finished study handed back, the incumbent of
    another. Raises InputError where there is none."""
    if number is None:
        best = _handed_back(store, study) or store.history(study.study_id).best
        if best is None:
            raise InputError("trial", f"study {study.study_id} has no complete trial yet.", "Name a trial.")
        return best
    trials = store.trials(study.study_id)
    for trial in trials:
        if trial.number == number:
            return trial
    numbers = f"0 to {trials[-1].number}" if trials else "none"
    rule = f"study {study.study_id} has no trial {number}; there are: {numbers}."
    raise InputError("trial", rule, "Name one of them.", code="not_found")


def _handed_back(store: Store, study: Study) -> Trial | None:
    """The search trial of the configuration that was best on fresh seeds; None before there is a report."""
    directory = report_directory(study)
    if study.state is not StudyState.DONE or not (directory / "report.json").exists():
        return None
    config = read_report(directory).best.config
    return next((t for t in store.history(study.study_id).complete if t.config == config), None)


def explanation(store: Store, study: Study, number: int | None) -> Explanation:
    """Where a trial's configuration came from and how it turned out."""
    trial = trial_of(store, study, number)
    default = next(iter(store.trials(study.study_id)), trial)
    call = _call_of(store, trial)
    curve = store.curves(study.study_id).get(trial.trial_id, ())
    return Explanation(
        study=study.study_id,
        trial=trial.number,
        **trial.model_dump(include={"phase", "state", "costs", "seconds", "deviations"}),
        proposed_by=trial.proposal.source,
        **trial.proposal.model_dump(include={"why", "config", "predicted_mean", "predicted_sd"}),
        differs_from_default=changes(trial.config, default.config),
        metric=study.spec.objective.metric,
        outcome=trial.score,
        outcome_words=outcome_words(trial),
        default_scored=default.score,
        curve_words=curve_digest(curve, run_length(trial, curve)),
        curve=curve,
        llm_model=call["model"] if call else None,
        llm_prompt_name=call["prompt_name"] if call else None,
        llm_prompt_sha256=call["prompt_sha256"] if call else None,
    )


def outcome_words(trial: Trial) -> str:
    """How a trial ended, or where it is."""
    if trial.score is not None:
        return f"scored {trial.score:.4f}"
    if trial.rung is not None:
        return f"stopped at {trial.rung.share:.0%} of its run, validation loss {trial.rung.eval_loss:.4g} there"
    return " ".join(filter(None, (trial.state.lower(), trial.reason, trial.error)))


def llm_call_card(store: Store, study: Study, number: int) -> LlmCallCard | None:
    """The LLM call behind a trial, whole; None where no LLM proposed it."""
    call = _call_of(store, trial_of(store, study, number))
    if call is None:
        return None
    fields = {name: call[name] for name in LlmCallCard.model_fields if name != "call"}
    return LlmCallCard.model_validate({"call": call["id"], **fields})


def _call_of(store: Store, trial: Trial) -> Row | None:
    return next((c for c in store.llm_calls(trial.study_id) if c["id"] == trial.proposal.llm_call_id), None)


def changes(left: Config, right: Config) -> tuple[Change, ...]:
    """Hyperparameters that differ; "not set" where one is inactive."""
    names = dict.fromkeys([*left, *right])
    return tuple(
        Change(name=name, value=scalar(left.get(name)), other=scalar(right.get(name)))
        for name in names
        if left.get(name) != right.get(name)
    )


def budget_card(study: Study, store: Store) -> BudgetCard:
    """What a study may spend and has spent."""
    tokens, usd = store.llm_spending(study.study_id)
    trials = store.trials(study.study_id, Phase.SEARCH)
    return BudgetCard(
        study=study.study_id,
        trials_used=sum(t.state in OVER for t in trials),
        trials_limit=study.spec.budget.trials,
        seconds_used=store.balance(study.study_id, "wall_seconds"),
        seconds_limit=study.spec.budget.seconds,
        llm_tokens_used=tokens,
        llm_tokens_limit=study.plan.estimate.llm_tokens or None,
        llm_usd_used=usd,
        llm_usd_limit=study.spec.budget.llm_usd,
    )


def comparison(store: Store, study: Study, left: int | None, right: int | None) -> Comparison:
    """Trial `left` (None: the best) against trial `right` (None: the default).

    The best against the default of a finished study is compared on its test rows; configurations that were confirmed,
    on their fresh seeds; all others by their single search scores, which is said.
    """
    if left is None and right is None and study.state is StudyState.DONE:
        return _tested(study, read_report(report_directory(study)))
    ours, theirs = trial_of(store, study, left), trial_of(store, study, 0 if right is None else right)
    names = (f"trial {ours.number}", f"trial {theirs.number}" if theirs.number else "the default")
    (first, second), basis = _scores(store, study, ours, theirs)
    difference = _difference(first, second)
    return Comparison(
        study=study.study_id,
        metric=study.spec.objective.metric,
        direction=study.spec.objective.direction,
        left_name=names[0],
        right_name=names[1],
        left=first,
        right=second,
        difference=difference,
        basis=basis,
        verdict=_verdict(study, names, difference),
        changes=changes(ours.config, theirs.config),
    )


def _scores(store: Store, study: Study, ours: Trial, theirs: Trial) -> tuple[list[float | None], str]:
    """What two trials are compared by, and what that is: of two that the search ran and whose configurations were
    confirmed, the means over fresh seeds; else the trials' own scores."""
    sides = (ours, theirs)
    trials = store.trials(study.study_id, Phase.CONFIRM)
    fresh = [[t.score for t in trials if t.config == side.config and t.score is not None] for side in sides]
    if all(fresh) and all(side.phase is Phase.SEARCH for side in sides):
        counts = " and ".join(map(str, dict.fromkeys(map(len, fresh))))
        return [fmean(scores) for scores in fresh], f"validation scores on fresh seeds, means of {counts} runs"
    history = store.history(study.study_id)
    means = [history.mean_score(side.config) if side.phase is Phase.SEARCH else None for side in sides]
    scores = [side.score if mean is None else mean for side, mean in zip(sides, means, strict=True)]
    return scores, "validation scores of single runs, so a small difference may be luck"


def _verdict(study: Study, names: tuple[str, str], difference: float | None) -> str:
    if difference is None:
        return "One of the two has no score yet, so they cannot be compared."
    if difference == 0:
        return "They scored the same."
    better = difference > 0 if study.spec.objective.direction == "maximize" else difference < 0
    word = "better" if better else "worse"
    if study.state is StudyState.DONE:
        return f"On validation, {names[0]} was {word} than {names[1]}."
    return f"So far {names[0]} is {word} than {names[1]}. The report will settle it on test rows."


def _tested(study: Study, report: Report) -> Comparison:
    gain = report.gain
    return Comparison(
        study=study.study_id,
        metric=report.metric,
        direction=report.direction,
        left_name="the best configuration",
        right_name="the default",
        left=report.best.test_score,
        right=report.default.test_score,
        difference=_difference(report.best.test_score, report.default.test_score),
        basis=f"test rows nobody had seen, {len(report.best.test_scores)} seeds each",
        ci95=gain.ci95 if gain else None,
        p_value=gain.p_value if gain else None,
        verdict=report.verdict,
        changes=changes(report.best.config, report.default.config),
    )


def _difference(left: float | None, right: float | None) -> float | None:
    return None if left is None or right is None else left - right
