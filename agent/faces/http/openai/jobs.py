"""`/v1/fine_tuning/jobs` in OpenAI's shape: each job is a study, whoever started it."""

from collections.abc import AsyncIterator, Callable
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.concurrency import run_in_threadpool

from agent.errors import InputError
from agent.faces.http.openai.drafts import plan_of_job
from agent.faces.http.openai.shapes import OUR_NAMES, Checkpoint, Job, JobEvent, JobRequest, Page
from agent.faces.http.openai.view import checkpoint_of, event_of, form_of, job_of, study_number, study_of
from agent.faces.http.plans import Key, open_points
from agent.faces.http.service import Service
from agent.faces.http.streams import MEDIA_TYPE, Event, EventStream, follow
from agent.study.nouns import TrialState

JobId = Annotated[str, Path(max_length=64)]
After = Annotated[str | None, Query(max_length=64)]


def job_routes(service: Service) -> APIRouter:
    """The routes over one desk."""
    routes = APIRouter(prefix="/v1/fine_tuning/jobs", tags=["OpenAI: fine-tuning"])
    _jobs(routes, service)
    _inside(routes, service)
    return routes


def _jobs(routes: APIRouter, service: Service) -> None:
    desk, store = service.desk, service.desk.store

    @routes.post("", summary="Start a job")
    def create(form: JobRequest, key: Key = None) -> Job:
        """ "auto" hyperparameters are searched, numbers are kept. Returns at once; the job is queued."""
        with service.planning:
            card = plan_of_job(service, form).card
            if card.plan_hash is None:
                point = open_points(card)
                name, hint = point.param or "", point.hint or ""
                raise InputError(OPENAI_NAMES.get(name, name), point.message, hint, point.code)
            started = desk.start(card.plan_hash, face="openai", key=key, job=form.model_dump(mode="json"))
        service.statuses.written()
        return job_of(store.study(started.study), store)

    @routes.get("", summary="Jobs, newest first")
    def list_jobs(request: Request, after: After = None, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> Page[Job]:
        """All studies, those started elsewhere too. `metadata[KEY]=VALUE` filters."""
        ids = store.study_ids()[::-1]
        if after is not None:
            last = int(study_number(after))
            ids = [study_id for study_id in ids if int(study_id) < last]
        tags = {k[9:-1]: v for k, v in request.query_params.items() if k.startswith("metadata[") and k.endswith("]")}
        jobs = (job_of(store.study(study_id), store) for study_id in ids)
        fitting = (one for one in jobs if tags.items() <= (one.metadata or {}).items())
        return Page[Job].of(list(islice(fitting, limit + 1)), limit)

    @routes.get("/{job_id}", summary="Where a job stands")
    def retrieve(job_id: JobId) -> Job:
        """`tunewright` holds the study in full."""
        return job_of(study_of(job_id, store), store)

    def changed(job_id: str, change: Callable[[str], object]) -> Job:
        change(study_of(job_id, store).study_id)
        service.statuses.written()
        return retrieve(job_id)

    @routes.post("/{job_id}/cancel", summary="Stop a job")
    def cancel(job_id: JobId) -> Job:
        """What is finished stays; `resume` goes on."""
        return changed(job_id, desk.cancel)

    @routes.post("/{job_id}/pause", summary="Stop a job, keeping its place in the queue")
    def pause(job_id: JobId) -> Job:
        """Until `resume`."""
        return changed(job_id, desk.pause)

    @routes.post("/{job_id}/resume", summary="Go on with a stopped job")
    def resume(job_id: JobId) -> Job:
        """Finished trials are not run again."""
        return changed(job_id, desk.resume)


OPENAI_NAMES = {
    "base_model": "model",
    "data.train": "training_file",
    "data.validation": "validation_file",
    "budget.trials": "tunewright.trials",
    "budget.seconds": "tunewright.seconds",
    "objective.metric": "tunewright.metric",
    "loss": "tunewright.loss",
} | {f"search.{ours}": f"hyperparameters.{name}" for name, ours in OUR_NAMES.items()}
"""Fields of a spec under the names that this API gives them."""


def _inside(routes: APIRouter, service: Service) -> None:
    desk = service.desk

    @routes.get("/{job_id}/events", summary="What happened in a job, newest first", response_model=Page[JobEvent])
    async def events(
        request: Request,
        job_id: JobId,
        after: After = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 20,
        as_stream: Annotated[bool, Query(alias="stream")] = False,
        last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=40)] = None,
    ) -> Any:
        """`after` is the id of an event: older ones follow. With `stream=true` oldest first, as they come."""
        study = (await run_in_threadpool(study_of, job_id, desk.store)).study_id
        cursor = _cursor(last_event_id or after)
        if as_stream or MEDIA_TYPE in request.headers.get("accept", ""):
            return EventStream(service, _streamed(service, study, cursor or 0))
        latest = await run_in_threadpool(desk.store.events_before, study, cursor, limit + 1)
        return Page[JobEvent].of([event_of(event) for event in latest], limit)

    @routes.get("/{job_id}/checkpoints", summary="Complete trials of a job, newest first")
    def checkpoints(
        job_id: JobId, after: After = None, limit: Annotated[int, Query(ge=1, le=100)] = 10
    ) -> Page[Checkpoint]:
        """One a trial, with what it reached; the best is the job's model."""
        study = study_of(job_id, desk.store)
        suffix = form_of(study, desk.store).suffix
        curves, at = desk.curves(study.study_id), desk.store.finish_times(study.study_id)
        complete = [t for t in desk.trials(study.study_id) if t.state is TrialState.COMPLETE]
        items = [
            checkpoint_of(study, suffix, t, curves.get(t.trial, ()), at.get(t.trial) or study.created_at)
            for t in sorted(complete, key=lambda t: -t.trial)
        ]
        return Page[Checkpoint].of(items, limit, after)


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
    async for event in follow(service, study, after):
        yield {"id": str(event.seq), "data": event_of(event).model_dump_json()}
    yield "[DONE]"
