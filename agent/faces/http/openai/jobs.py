"""`/v1/fine_tuning/jobs` in OpenAI's shape: each job is a study, whoever started it."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.concurrency import run_in_threadpool

from agent.errors import InputError
from agent.faces.http.openai.drafts import planned_job
from agent.faces.http.openai.events import event_of
from agent.faces.http.openai.files import epoch
from agent.faces.http.openai.shapes import (
    Checkpoint,
    CheckpointList,
    CheckpointMetrics,
    EventList,
    Job,
    JobList,
    JobRequest,
)
from agent.faces.http.openai.view import job_of, model_name, study_of
from agent.faces.http.service import Service
from agent.faces.http.starting import Key, open_points
from agent.faces.http.streams import MEDIA_TYPE, Event, EventStream, followed
from agent.study.nouns import TrialState

JobId = Annotated[str, Path(max_length=64)]
After = Annotated[str | None, Query(max_length=64)]


def job_routes(service: Service) -> APIRouter:
    """The routes over one desk."""
    routes = APIRouter(prefix="/v1/fine_tuning/jobs", tags=["OpenAI: fine-tuning"])
    _jobs(routes, service)
    _inside(routes, service)
    return routes


def job(service: Service, job_id: str) -> Job:
    """A job as it stands. Raises InputError for an unknown one."""
    study_id = study_of(job_id)
    try:
        study = service.desk.study(study_id)
    except InputError as error:
        raise InputError("fine_tuning_job_id", f"no job {job_id!r}.", "List the jobs.", error.code) from error
    store = service.desk.store
    submission = store.submission(study_id=study_id)
    asked = submission if submission is not None and submission.face == "openai" else None
    return job_of(study, service.desk.status(study_id), asked, store.trained_tokens(study_id))


def _jobs(routes: APIRouter, service: Service) -> None:
    desk = service.desk

    @routes.post("", summary="Start a job")
    def create(asked: JobRequest, key: Key = None) -> Job:
        """ "auto" hyperparameters are searched, numbers are kept. Returns at once; the job is queued."""
        with service.planning.one():
            card = planned_job(service, asked).card
            if card.plan_hash is None:
                said = open_points(card)
                raise InputError(
                    OPENAI_NAMES.get(said.param or "", said.param or ""), said.message, said.hint or "", said.code
                )
            study = desk.start(card.plan_hash, face="openai", key=key, job=asked.model_dump(mode="json"))
        service.statuses.written()
        return job(service, f"ftjob-{study.study}")

    @routes.get("", summary="Jobs, newest first")
    def list_jobs(request: Request, after: After = None, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> JobList:
        """All studies, those started elsewhere too. `metadata[KEY]=VALUE` filters."""
        ids = desk.store.study_ids()[::-1]
        if after is not None:
            last = int(study_of(after))
            ids = [study_id for study_id in ids if int(study_id) < last]
        wanted = {k[9:-1]: v for k, v in request.query_params.items() if k.startswith("metadata[") and k.endswith("]")}
        found: list[Job] = []
        for study_id in ids:
            one = job(service, f"ftjob-{study_id}")
            if all((one.metadata or {}).get(k) == v for k, v in wanted.items()):
                found.append(one)
            if len(found) > limit:
                break
        return JobList(data=tuple(found[:limit]), has_more=len(found) > limit)

    @routes.get("/{job_id}", summary="Where a job stands")
    def retrieve(job_id: JobId) -> Job:
        """`tunewright` holds the study in full."""
        return job(service, job_id)

    @routes.post("/{job_id}/cancel", summary="Stop a job")
    def cancel(job_id: JobId) -> Job:
        """What is finished stays; `resume` goes on."""
        desk.cancel(job(service, job_id).tunewright.study)
        return _changed(service, job_id)

    @routes.post("/{job_id}/pause", summary="Stop a job, keeping its place in the queue")
    def pause(job_id: JobId) -> Job:
        """Until `resume`."""
        desk.pause(job(service, job_id).tunewright.study)
        return _changed(service, job_id)

    @routes.post("/{job_id}/resume", summary="Go on with a stopped job")
    def resume(job_id: JobId) -> Job:
        """Finished trials are not run again."""
        desk.resume(job(service, job_id).tunewright.study)
        return _changed(service, job_id)


OPENAI_NAMES = {
    "base_model": "model",
    "data.train": "training_file",
    "data.validation": "validation_file",
    "search.epochs": "hyperparameters.n_epochs",
    "search.batch_size": "hyperparameters.batch_size",
    "search.learning_rate": "hyperparameters.learning_rate_multiplier",
    "search.beta": "hyperparameters.beta",
    "budget.trials": "tunewright.trials",
    "budget.seconds": "tunewright.seconds",
    "objective.metric": "tunewright.metric",
    "loss": "tunewright.loss",
}
"""Fields of a spec under the names that this API gives them."""


def _changed(service: Service, job_id: str) -> Job:
    service.statuses.written()
    return job(service, job_id)


def _inside(routes: APIRouter, service: Service) -> None:
    desk = service.desk

    @routes.get("/{job_id}/events", summary="What happened in a job, newest first", response_model=EventList)
    async def events(
        request: Request,
        job_id: JobId,
        after: After = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 20,
        as_stream: Annotated[bool, Query(alias="stream")] = False,
        last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=40)] = None,
    ) -> Any:
        """`after` is the id of an event: older ones follow. With `stream=true` oldest first, as they come."""
        study = (await run_in_threadpool(job, service, job_id)).tunewright.study
        cursor = _cursor(last_event_id or after)
        if as_stream or MEDIA_TYPE in request.headers.get("accept", ""):
            return EventStream(service, _streamed(service, study, cursor or 0))
        found = await run_in_threadpool(desk.store.events_before, study, cursor, limit + 1)
        return EventList(data=tuple(event_of(e) for e in found[:limit]), has_more=len(found) > limit)

    @routes.get("/{job_id}/checkpoints", summary="Complete trials of a job, newest first")
    def checkpoints(
        job_id: JobId, after: After = None, limit: Annotated[int, Query(ge=1, le=100)] = 10
    ) -> CheckpointList:
        """One a trial, with what it reached; the best is the job's model."""
        whole = job(service, job_id)
        study = desk.study(whole.tunewright.study)
        curves, at = desk.curves(study.study_id), desk.store.finish_times(study.study_id)
        found = []
        for trial in sorted(desk.trials(study.study_id), key=lambda t: -t.trial):
            if trial.state is not TrialState.COMPLETE:
                continue
            points = curves.get(trial.trial, ())
            step = points[-1].step if points else 0
            metrics = CheckpointMetrics(
                step=step,
                train_loss=next((p.loss for p in reversed(points) if p.loss is not None), None),
                valid_loss=next((p.eval_loss for p in reversed(points) if p.eval_loss is not None), None),
                score=trial.score,
            )
            found.append(
                Checkpoint(
                    id=f"ftckpt-{study.study_id}-{trial.trial}",
                    created_at=epoch(at.get(trial.trial) or study.created_at),
                    fine_tuned_model_checkpoint=f"{model_name(study, whole.suffix)}:trial-{trial.trial}",
                    fine_tuning_job_id=job_id,
                    metrics=metrics,
                    step_number=step,
                )
            )
        if after is not None:
            found = found[next((i for i, c in enumerate(found, 1) if c.id == after), len(found)) :]
        page = tuple(found[:limit])
        first, last = (page[0].id, page[-1].id) if page else (None, None)
        return CheckpointList(data=page, first_id=first, last_id=last, has_more=len(found) > limit)


def _cursor(event_id: str | None) -> int | None:
    """The number in an event's id."""
    if event_id is None:
        return None
    number = event_id.removeprefix("ftevent-")
    if not number.isdigit() or len(number) > 18:
        raise InputError("after", f"must be the id of an event, got {event_id!r}.", "Such as ftevent-12.")
    return int(number)


async def _streamed(service: Service, study: str, after: int) -> AsyncIterator[Event]:
    """A job's events, in the form that OpenAI's clients stream; `[DONE]` when the job is over."""
    async for found in followed(service, study, after):
        yield {"id": str(found.seq), "data": event_of(found).model_dump_json()}
    yield "[DONE]"
