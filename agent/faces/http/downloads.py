"""What a finished study leaves, as downloads: files of its report, and the adapter as one archive."""

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as InPath
from starlette.responses import FileResponse, Response, StreamingResponse

from agent.errors import InputError
from agent.faces.http.service import Service
from agent.faces.http.studies import StudyId

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


def download_routes(service: Service) -> APIRouter:
    """The routes over one desk."""
    routes = APIRouter(prefix="/v1/studies", tags=["studies"])

    @routes.get("/{study}/report/{file:path}", summary="A file of the report", response_class=Response)
    def report_file(study: StudyId, file: Annotated[str, InPath(max_length=300)]) -> Response:
        """report.html, report.md, report.json, spec.yaml, plots/NAME.png, adapter/NAME."""
        path = within_report(service.desk.adapter_of(study).parent, file)
        kind = TYPES.get(path.suffix)
        headers = {"content-security-policy": REPORT_POLICY, "cache-control": "private, no-cache"}
        return FileResponse(path, media_type=kind, headers=headers, filename=None if kind else path.name)

    @routes.get("/{study}/adapter.zip", summary="The adapter as one archive", response_class=Response)
    def adapter(study: StudyId) -> Response:
        """What `tunewright generate` and PEFT load, once unpacked."""
        folder = service.desk.adapter_of(study)
        if not folder.is_dir():
            raise InputError("study", f"study {study} has left no adapter.", "Look at its report.", "not_found")
        headers = {"content-disposition": f'attachment; filename="tunewright-{study}-adapter.zip"'}
        return StreamingResponse(zip_pieces(folder), media_type="application/zip", headers=headers)

    return routes


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
