"""A study as OpenAI's clients see it: a fine-tuning job, its events, checkpoints and results."""

import csv
import io
import re
import time
from collections.abc import Sequence
from typing import Any

from agent.desk.cards import StudyCard, TrialCard
from agent.desk.desk import Desk
from agent.desk.event_words import event_sentence, trial_number
from agent.desk.study_cards import study_card
from agent.errors import InputError
from agent.faces.http.openai.shapes import (
    AUTO,
    OUR_NAMES,
    Checkpoint,
    CheckpointMetrics,
    Hyperparameters,
    Job,
    JobError,
    JobEvent,
    JobRequest,
    Method,
    MethodOptions,
    Status,
    epoch,
)
from agent.study.nouns import EventKind, Study, StudyEvent, StudyState
from agent.study.store import Store
from trainers.spec import CurvePoint

NO_ERROR = "the study failed; its report and log say more."
JOB_ID = re.compile(r"ftjob-(\d{1,18})")


def study_number(job_id: str) -> str:
    """The number of the study behind a job's id. Raises InputError for what is none."""
    match = JOB_ID.fullmatch(job_id)
    if match is None:
        raise InputError("fine_tuning_job_id", f"no job {job_id[:80]!r}.", "List the jobs.", code="not_found")
    return match[1]


def study_of(job_id: str, store: Store) -> Study:
    """The study behind a job's id. Raises InputError where there is none."""
    try:
        return store.study(study_number(job_id))
    except InputError as error:
        raise InputError("fine_tuning_job_id", f"no job {job_id!r}.", "List the jobs.", error.code) from error


def form_of(study: Study, store: Store) -> JobRequest:
    """What was asked for; of a study that no client of this shape has started, what comes closest."""
    submission = store.submission(study_id=study.study_id)
    if submission is not None and submission.face == "openai" and submission.job:
        return JobRequest.model_validate(submission.job)
    data = study.spec.data
    return JobRequest.model_construct(
        model=study.spec.base_model, training_file=data.train, validation_file=data.validation
    )


def job_of(study: Study, store: Store) -> Job:
    """The study as a job."""
    card, form = study_card(study, store), form_of(study, store)
    status = status_of(card)
    method, hyperparameters = _method(study, form)
    finished = epoch(card.finished_at) if card.finished_at and status in OVER else None
    left = card.seconds_left_p50
    return Job(
        id=f"ftjob-{card.study}",
        created_at=epoch(card.created_at),
        finished_at=finished,
        estimated_finish=int(time.time() + left) if status == "running" and left is not None else None,
        error=JobError(code="study_failed", message=card.error or NO_ERROR) if status == "failed" else None,
        fine_tuned_model=model_name(study, form.suffix) if status == "succeeded" else None,
        hyperparameters=best_hyperparameters(hyperparameters, study, card),
        method=method,
        model=study.spec.base_model,
        result_files=(f"file-results-{card.study}",) if status == "succeeded" else (),
        seed=study.spec.seed,
        status=status,
        trained_tokens=store.trained_tokens(study.study_id) if status == "succeeded" else None,
        training_file=form.training_file,
        validation_file=form.validation_file,
        metadata=form.metadata,
        suffix=form.suffix,
        user_provided_suffix=form.suffix,
        tunewright=card,
    )


OVER: tuple[Status, ...] = ("succeeded", "failed", "cancelled")


def status_of(card: StudyCard) -> Status:
    """A study's state in OpenAI's words. One that was interrupted, and that nobody resumes yet, is paused."""
    if card.state is StudyState.DONE:
        return "succeeded"
    if card.paused:
        return "paused"
    if card.running_pid is not None:
        return "running"
    if card.queue_place is not None:
        return "queued"
    if card.state is StudyState.FAILED:
        return "failed"
    return "cancelled" if card.state is StudyState.CANCELLED else "paused"


def model_name(study: Study, suffix: str | None) -> str:
    """The name of a tuned model, as OpenAI makes them."""
    return f"ft:{study.spec.base_model}:tunewright:{suffix or ''}:{study.study_id}"


def _method(study: Study, form: JobRequest) -> tuple[Method, Hyperparameters]:
    values = form.stated.model_dump(exclude_none=True)
    dpo = study.spec.loss is not None  # only preference tuning has one
    names = ["n_epochs", "batch_size", "learning_rate_multiplier", *(["beta"] if dpo else [])]
    full = Hyperparameters.model_validate({name: values.get(name, AUTO) for name in names})
    options = MethodOptions(hyperparameters=full)
    return (Method(type="dpo", dpo=options) if dpo else Method(type="supervised", supervised=options)), full


def best_hyperparameters(hyperparameters: Hyperparameters, study: Study, card: StudyCard) -> Hyperparameters:
    """What was stated; once the job is done, what "auto" came to."""
    if card.result is None:
        return hyperparameters
    best, default = card.result.best_config, study.plan.space.default() if study.plan.space else {}
    values: dict[str, Any] = {name: best.get(ours) for name, ours in OUR_NAMES.items()}
    rate, default_rate = values.pop("learning_rate_multiplier"), default.get("learning_rate")
    if isinstance(rate, float) and isinstance(default_rate, float) and default_rate > 0:
        values["learning_rate_multiplier"] = float(f"{rate / default_rate:.6g}")
    fields = hyperparameters.model_dump(exclude_none=True)
    return Hyperparameters.model_validate({n: (values.get(n) or v) if v == AUTO else v for n, v in fields.items()})


def checkpoint_of(
    study: Study, suffix: str | None, trial: TrialCard, curve: Sequence[CurvePoint], at: str
) -> Checkpoint:
    """A complete trial as a checkpoint of its job."""
    step = curve[-1].step if curve else 0
    return Checkpoint(
        id=f"ftckpt-{study.study_id}-{trial.trial}",
        created_at=epoch(at),
        fine_tuned_model_checkpoint=f"{model_name(study, suffix)}:trial-{trial.trial}",
        fine_tuning_job_id=f"ftjob-{study.study_id}",
        metrics=CheckpointMetrics(
            step=step,
            train_loss=next((p.loss for p in reversed(curve) if p.loss is not None), None),
            valid_loss=next((p.eval_loss for p in reversed(curve) if p.eval_loss is not None), None),
            score=trial.score,
        ),
        step_number=step,
    )


WARNINGS = frozenset(
    {EventKind.TRIAL_FAILED, EventKind.TRIAL_RETRIED, EventKind.DEVIATION, EventKind.CANDIDATE_DROPPED}
)


def event_of(event: StudyEvent) -> JobEvent:
    """An event of a study as one of a job."""
    failed = event.kind is EventKind.STUDY_ENDED and event.data.get("error")
    return JobEvent(
        id=f"ftevent-{event.seq}",
        created_at=epoch(event.at),
        level="error" if failed else "warn" if event.kind in WARNINGS else "info",
        message=event_sentence(event),
        type="metrics" if event.kind is EventKind.PROGRESS else "message",
        data={"kind": event.kind, "trial": trial_number(event), **event.data},
    )


RESULTS = re.compile(r"file-results-(\d{1,18})")
"""Ids of files that no one uploaded: made from the store when asked for."""
COLUMNS = ("trial", "phase", "step", "train_loss", "valid_loss", "learning_rate", "score")


def results_csv(desk: Desk, study: str) -> str:
    """One line a logged step; the trial's score on its last."""
    curves, out = desk.curves(study), io.StringIO()
    table = csv.writer(out)
    table.writerow(COLUMNS)
    for trial in desk.trials(study):
        points = curves.get(trial.trial, ())
        for point in points:
            score = trial.score if point is points[-1] else None
            row = (trial.trial, trial.phase, point.step, point.loss, point.eval_loss, point.learning_rate, score)
            table.writerow(["" if value is None else value for value in row])
    return out.getvalue()
