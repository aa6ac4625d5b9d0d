"""`/v1/studies`: look, stop, go on, ask the model; files of the report, and the adapter as one archive."""

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi import Path as InPath
from fastapi.concurrency import run_in_threadpool
from pydantic import Field
from starlette.responses import FileResponse, StreamingResponse

from agent.desk.cards import BudgetCard, Comparison, EventPage, Explanation, LlmCallCard, StudyCard, TrialCard
from agent.desk.desk import Desk
from agent.errors import InputError
from agent.faces.http.fields import Listing, Name, PathName, Words
from agent.faces.http.service import Service
from agent.faces.http.streams import MEDIA_TYPE, PAGE, study_stream
from agent.report.model import Report
from agent.study.journal import MAX_SEQ
from tools.evaluate import Evaluation
from tools.generate import Answer
from trainers.spec import Closed, CurvePoint

StudyId = Annotated[str, InPath(max_length=20, description="the study's number")]
TrialNumber = Annotated[int, InPath(ge=0, le=10**9)]
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
    ".json": "application/json",
    ".yaml": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
"""Anything else is offered for saving."""
REPORT_FILES = frozenset({"report.html", "report.md", "report.json", "spec.yaml"})
REPORT_FOLDERS = frozenset({"plots", "adapter"})
"""Nothing else is handed out: a user may have named a directory with files of their own as the output."""
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'"
CHUNK = 256 * 1024


class Prompt(Closed):
    """What a finished study's model is asked."""

    prompt: Words
    max_new_tokens: int = Field(128, ge=1, le=32_768)


class Scoring(Closed):
    """What a finished study's model is scored on."""

    data: PathName
    metric: Name | None = None
    max_rows: int | None = Field(None, ge=1)


def study_routes(service: Service) -> APIRouter:
    """The routes over one desk, those that start a study apart."""
    routes = APIRouter(prefix="/v1/studies", tags=["studies"])
    _looking(routes, service)
    _trials(routes, service.desk)
    _control(routes, service)
    _downloads(routes, service.desk)
    return routes


def _looking(routes: APIRouter, service: Service) -> None:
    desk = service.desk

    @routes.get("", summary="Studies, newest first")
    def list_studies(limit: Annotated[int, Query(ge=1, le=500)] = 50) -> Listing[StudyCard]:
        """Where each stands."""
        return Listing[StudyCard](data=tuple(desk.status(study) for study in desk.store.study_ids()[::-1][:limit]))

    @routes.get("/{study}", summary="Where a study stands", response_model=StudyCard)
    async def look_at_study(study: StudyId, if_none_match: Annotated[str, Header()] = "") -> Response:
        """Made to be polled: has an ETag, and answers If-None-Match with 304."""
        return (await service.statuses.entry(study)).response(if_none_match)

    @routes.get("/{study}/budget", summary="What it may spend and has spent")
    def budget(study: StudyId) -> BudgetCard:
        """Trials, time, LLM tokens and dollars."""
        return desk.budget(study)

    @routes.get("/{study}/compare", summary="Two configurations beside each other")
    def compare(
        study: StudyId,
        left: Annotated[int | None, Query(ge=0, description="trial; default: the best")] = None,
        right: Annotated[int | None, Query(ge=0, description="trial; default: the default configuration")] = None,
    ) -> Comparison:
        """On test rows where the study is done, else on validation."""
        return desk.compare(study, left, right)

    @routes.get("/{study}/events", summary="What happened", response_model=EventPage)
    async def events(
        request: Request,
        study: StudyId,
        after: Annotated[int, Query(ge=0, le=MAX_SEQ, description="only events with a higher number")] = 0,
        limit: Annotated[int, Query(ge=1, le=PAGE)] = 100,
        as_stream: Annotated[bool, Query(alias="stream")] = False,
        last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=20)] = None,
    ) -> Any:
        """A page as JSON; with `Accept: text/event-stream` or `stream=1` a stream that ends when the study is over."""
        if as_stream or MEDIA_TYPE in request.headers.get("accept", ""):
            return await study_stream(service, study, after, last_event_id)
        return await run_in_threadpool(desk.events, study, after, limit)

    @routes.get("/{study}/report", summary="The report of a finished study")
    def report(study: StudyId) -> Report:
        """409 while it is not done."""
        return desk.report(study)


def _trials(routes: APIRouter, desk: Desk) -> None:
    @routes.get("/{study}/trials", summary="Its trials")
    def trials(study: StudyId) -> Listing[TrialCard]:
        """By number, confirmation runs last."""
        return Listing[TrialCard](data=tuple(desk.trials(study)))

    @routes.get("/{study}/trials/{trial}", summary="Why a trial has its configuration, and how it turned out")
    def trial(study: StudyId, trial: TrialNumber) -> Explanation:
        """With its learning curve."""
        return desk.explain(study, trial)

    @routes.get("/{study}/trials/{trial}/llm_call", summary="The planner LLM's call behind a trial")
    def llm_call(study: StudyId, trial: TrialNumber) -> LlmCallCard:
        """Prompt and reply in full; 404 where another proposer made the trial."""
        call = desk.llm_call(study, trial)
        if call is None:
            raise InputError("trial", f"no LLM proposed trial {trial}.", "See who did: GET the trial.", "not_found")
        return call

    @routes.get("/{study}/curves", summary="All learning curves")
    def curves(study: StudyId) -> dict[int, tuple[CurvePoint, ...]]:
        """Trial number to learning curve."""
        return desk.curves(study)


def _control(routes: APIRouter, service: Service) -> None:
    desk = service.desk

    @routes.post("/{study}/cancel", summary="Stop a study")
    def cancel(study: StudyId) -> StudyCard:
        """What is finished stays, and `resume` goes on."""
        return _changed(service, desk.cancel(study))

    @routes.post("/{study}/pause", summary="Stop a study, keeping its place in the queue")
    def pause(study: StudyId) -> StudyCard:
        """Until `resume`."""
        return _changed(service, desk.pause(study))

    @routes.post("/{study}/resume", summary="Go on with a stopped study")
    def resume(study: StudyId) -> StudyCard:
        """Queues it; finished trials are not run again."""
        return _changed(service, desk.resume(study))

    @routes.post("/{study}/generate", summary="Ask the model of a finished study")
    def generate(study: StudyId, form: Prompt) -> Answer:
        """Text, or class probabilities. Some seconds: the model is loaded."""
        with service.loading:
            return desk.generate(study, form.prompt, form.max_new_tokens)

    @routes.post("/{study}/evaluate", summary="Score the model of a finished study on labelled data")
    def evaluate(study: StudyId, form: Scoring) -> Evaluation:
        """`data` is a path in the server's roots, a hub id, or a built-in set."""
        with service.loading:
            return desk.evaluate(study, form.data, form.metric, form.max_rows)


def _changed(service: Service, card: StudyCard) -> StudyCard:
    service.statuses.written()
    return card


def _downloads(routes: APIRouter, desk: Desk) -> None:
    @routes.get("/{study}/report/{file:path}", summary="A file of the report", response_class=Response)
    def report_file(study: StudyId, file: Annotated[str, InPath(max_length=300)]) -> Response:
        """report.html, report.md, report.json, spec.yaml, plots/NAME.png, adapter/NAME."""
        path = within_report(desk.adapter_of(study).parent, file)
        kind = TYPES.get(path.suffix)
        headers = {"content-security-policy": REPORT_POLICY, "cache-control": "private, no-cache"}
        return FileResponse(path, media_type=kind, headers=headers, filename=None if kind else path.name)

    @routes.get("/{study}/adapter.zip", summary="The adapter as one archive", response_class=Response)
    def adapter(study: StudyId) -> Response:
        """What `tunewright generate` and PEFT load, once unpacked."""
        folder = desk.adapter_of(study)
        if not folder.is_dir():
            raise InputError("study", f"study {study} has left no adapter.", "Look at its report.", "not_found")
        headers = {"content-disposition": f'attachment; filename="tunewright-{study}-adapter.zip"'}
        return StreamingResponse(zip_pieces(folder), media_type="application/zip", headers=headers)


def within_report(directory: Path, file: str) -> Path:
    """The report's file of that name. Raises InputError, the same for what is not there and what may not be had."""
    parts = file.split("/")
    offered = file in REPORT_FILES or (len(parts) == 2 and parts[0] in REPORT_FOLDERS)
    path = directory / file
    if offered and not any(p in ("", ".", "..") or p.startswith(".") or "\\" in p or "\0" in p for p in parts):
        real = Path(os.path.realpath(path))
        if real.is_relative_to(directory.resolve()) and real.is_file() and not path.is_symlink():
            return real
    raise InputError("file", f"the report has no file {file[:100]!r}.", "See report.html.", "not_found")


def zip_pieces(folder: Path) -> Iterator[bytes]:
    """The files of a folder as a zip archive, piece by piece; links are left out, weights are not compressed."""
    with TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
            for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()):
                archive.write(path, path.relative_to(folder))
        file.seek(0)
        while piece := file.read(CHUNK):
            yield piece
