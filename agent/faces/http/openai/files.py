"""`/v1/files` in OpenAI's shape: Starlette spools uploads to disk; they are checked when they are complete."""

import hashlib
import os
import re
import secrets
import shutil
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from fastapi.concurrency import run_in_threadpool
from pydantic import Field
from starlette.datastructures import FormData, UploadFile
from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse, Response, StreamingResponse

from agent.errors import InputError
from agent.faces.http.openai.rows import converted
from agent.faces.http.openai.shapes import Item, Page, epoch
from agent.faces.http.openai.view import RESULTS, results_csv
from agent.faces.http.service import Service
from agent.study.desk_rows import StoredFile
from agent.study.rows import now
from trainers.spec import Closed

FILE_ID = re.compile(r"file-[A-Za-z0-9]{8,40}")
FileId = Annotated[str, InPath(max_length=64)]
Purpose = Literal["fine-tune", "evals", "user_data", "assistants", "batch", "vision"]
PURPOSES = get_args(Purpose)
UNFINISHED = ".incoming-*"
"""Folders of uploads that are under way."""
MAX_FIELDS, MAX_FIELD_BYTES = 20, 10_000
SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")


class FileObject(Item):
    """An uploaded file."""

    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    filename: str
    purpose: str
    status: Literal["uploaded", "processed", "error"] = "processed"
    status_details: str | None = None
    expires_at: int | None = None


class FileDeleted(Item):
    """A file that is gone."""

    object: Literal["file"] = "file"
    deleted: bool = True


class UploadForm(Closed):
    """The form of an upload (multipart/form-data)."""

    file: str = Field(json_schema_extra={"format": "binary"})
    purpose: Purpose


def file_object(row: StoredFile) -> FileObject:
    """A stored file as it is told."""
    at = epoch(row.at)
    return FileObject(id=row.file_id, bytes=row.bytes, created_at=at, filename=row.filename, purpose=row.purpose)


def folder_of(home: Path, file_id: str) -> Path:
    """Where an upload lies. Raises InputError for what cannot be an upload's id."""
    if not FILE_ID.fullmatch(file_id):
        raise InputError("file", f"no file {file_id!r}.", "Upload it, or list the files.", code="not_found")
    return home / "files" / file_id


def file_routes(service: Service) -> APIRouter:
    """The routes over one desk."""
    routes = APIRouter(prefix="/v1/files", tags=["OpenAI: files"])
    desk, home = service.desk, service.settings.home

    @routes.post("", summary="Upload a file", openapi_extra=UPLOAD_SCHEMA)
    async def upload(request: Request) -> FileObject:
        """Chat (`messages`), preference (`input`, `preferred_output`, `non_preferred_output`), `text` and `label`, or
        any table that tunewright reads. Preference rows are brought into our form; /content gives what was sent."""
        return await receive_upload(service, request)

    @routes.get("", summary="Uploaded files")
    def list_files(
        purpose: Annotated[str | None, Query(max_length=40)] = None,
        after: Annotated[str | None, Query(max_length=64)] = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
        order: Literal["asc", "desc"] = "desc",
    ) -> Page[FileObject]:
        """Newest first, or `order=asc`."""
        files = [file_object(row) for row in desk.store.files() if purpose in (None, row.purpose)]
        return Page[FileObject].of(files[::-1] if order == "asc" else files, limit, after)

    @routes.get("/{file_id}", summary="About a file")
    def look_at_file(file_id: FileId) -> FileObject:
        """An upload, or the results of a job."""
        if match := RESULTS.fullmatch(file_id):
            study = desk.study(match[1])
            size = len(results_csv(desk, study.study_id).encode())
            at = epoch(study.finished_at or study.created_at)
            name = f"results-{study.study_id}.csv"
            return FileObject(id=file_id, bytes=size, created_at=at, filename=name, purpose="fine-tune-results")
        folder_of(home, file_id)
        return file_object(desk.store.file(file_id))

    @routes.get("/{file_id}/content", summary="What a file holds", response_class=Response)
    def content(file_id: FileId) -> Response:
        """As it was uploaded; of a job's results, its learning curves as CSV."""
        if match := RESULTS.fullmatch(file_id):
            return StreamingResponse(iter([results_csv(desk, match[1])]), media_type="text/csv")
        path = folder_of(home, file_id) / safe_name(desk.store.file(file_id).filename)
        if not path.is_file() or path.is_symlink():
            raise InputError("file", f"the content of {file_id} is gone.", "Upload it again.", "not_found")
        return FileResponse(path, media_type="application/octet-stream", filename=path.name)

    @routes.delete("/{file_id}", summary="Delete a file")
    def delete(file_id: FileId) -> FileDeleted:
        """Studies that use it go on: they have their own copy."""
        folder = folder_of(home, file_id)
        desk.store.file(file_id)
        desk.store.forget_file(file_id)
        shutil.rmtree(folder, ignore_errors=True)
        return FileDeleted(id=file_id)

    return routes


UPLOAD_SCHEMA: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": UploadForm.model_json_schema()}}}
}


def safe_name(filename: str) -> str:
    """A file name without surprises, its ending kept."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", filename.replace("\\", "/").rpartition("/")[2])
    return plain.lstrip(".")[-100:] or "upload.jsonl"


async def receive_upload(service: Service, request: Request) -> FileObject:
    """A form with one file, which becomes a stored file. Raises InputError for one that is not as it must be."""
    try:
        async with request.form(max_files=1, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES) as form:
            return await run_in_threadpool(_take_in, service, form)
    except ClientDisconnect as error:
        raise InputError("body", "the form was cut off.", "Send it again.") from error


def _take_in(service: Service, form: FormData) -> FileObject:
    """Check a complete form, and store its file."""
    file, purpose = form.get("file"), str(form.get("purpose", ""))
    if not isinstance(file, UploadFile):
        raise InputError("file", "a file is needed, in the form field `file`.", "Send file and purpose.")
    if purpose not in PURPOSES:
        raise InputError("purpose", f"must be one of {', '.join(PURPOSES)}, got {purpose[:40]!r}.", "Use fine-tune.")
    if unknown := sorted(set(form) - {"file", "purpose"}):
        rule = f"{unknown[0][:60]} is not supported; files are kept until they are deleted."
        raise InputError(unknown[0][:60], rule, "Leave it out.")
    if not file.size:
        raise InputError("file", "the file is empty.", "Upload a file with rows.")
    name = safe_name(file.filename or "")
    if purpose == "fine-tune" and not name.lower().endswith(SUFFIXES):
        raise InputError("file", f"must be one of {', '.join(SUFFIXES)}, got {name!r}.", "Upload JSON lines.")
    incoming = service.settings.home / "files" / UNFINISHED.replace("*", secrets.token_hex(8))
    incoming.mkdir(parents=True)
    try:
        with (incoming / name).open("xb") as copy:
            shutil.copyfileobj(file.file, copy)
        return _store(service, incoming, name, file.filename or name, purpose)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def _store(service: Service, incoming: Path, name: str, filename: str, purpose: str) -> FileObject:
    """Bring the rows of an upload into our form, and give its folder a name that stays."""
    content = original = incoming / name
    if purpose == "fine-tune" and name.lower().endswith((".jsonl", ".ndjson")):
        content = converted(original) or original
    file_id = f"file-{secrets.token_hex(12)}"
    folder = folder_of(service.settings.home, file_id)
    incoming.rename(folder)
    row = StoredFile(
        file_id=file_id,
        at=now(),
        filename="".join(c if c.isprintable() else "_" for c in filename)[-200:],
        purpose=purpose,
        bytes=(folder / name).stat().st_size,
        sha256=_sha256(folder / name),
        path=str(folder / content.name),
    )
    service.desk.store.add_file(row)
    return file_object(row)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()
