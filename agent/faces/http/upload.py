"""Receiving one file of a multipart form: straight to disk, whatever its size."""

from dataclasses import dataclass, field
from pathlib import Path

from fastapi.concurrency import run_in_threadpool
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from agent.errors import InputError

MAX_FIELDS = 20
MAX_FIELD_BYTES = 10_000
MAX_HEADER_BYTES = 4_000
FLUSH_BYTES = 1024 * 1024


@dataclass
class Received:
    """A form that has come in: the file is `raw` in the folder."""

    filename: str
    fields: dict[str, str]


@dataclass
class _Part:
    headers: dict[bytes, bytes] = field(default_factory=dict)
    name: str = ""
    filename: str | None = None
    header_name: bytes = b""
    header_value: bytes = b""
    size: int = 0
    value: bytearray = field(default_factory=bytearray)


class Upload:
    """Takes in one form with one file."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder, self._max_bytes = folder, max_bytes
        self._part = _Part()
        self._fields: dict[str, str] = {}
        self._filename: str | None = None
        self._waiting = bytearray()
        self._ended = False

    async def receive(self, request: Request) -> Received:
        """Read the whole form. Raises InputError for one that is not as it must be."""
        kind, options = parse_options_header(request.headers.get("content-type"))
        boundary = options.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not 1 <= len(boundary) <= 200:
            raise InputError("Content-Type", "must be multipart/form-data with a boundary.", "Use a client library.")
        parser = MultipartParser(boundary, self._callbacks(), max_size=self._max_bytes)  # type: ignore[arg-type]
        await run_in_threadpool(self._folder.mkdir, parents=True)
        file = await run_in_threadpool((self._folder / "raw").open, "xb")
        try:
            async for chunk in request.stream():
                parser.write(chunk)
                if len(self._waiting) >= FLUSH_BYTES:
                    await run_in_threadpool(file.write, bytes(self._waiting))
                    self._waiting.clear()
            parser.finalize()
            await run_in_threadpool(file.write, bytes(self._waiting))
        except MultipartParseError as error:
            raise InputError("body", "must be a well-formed multipart form.", "Use a client library.") from error
        finally:
            await run_in_threadpool(file.close)
        if not self._ended:
            raise InputError("body", "the form was cut off.", "Send it again.")
        if self._filename is None:
            raise InputError("file", "a file is needed, in the form field `file`.", "Send file and purpose.")
        return Received(self._filename, self._fields)

    def _callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._part = _Part()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._part.header_name += data[start:end]
        self._check_header()

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._part.header_value += data[start:end]
        self._check_header()

    def _check_header(self) -> None:
        if len(self._part.header_name) + len(self._part.header_value) > MAX_HEADER_BYTES:
            raise InputError("body", "the headers of a form's part are too long.", "Use a client library.")

    def _header_end(self) -> None:
        part = self._part
        part.headers[part.header_name.lower()] = part.header_value
        part.header_name = part.header_value = b""
        if len(part.headers) > MAX_FIELDS:
            raise InputError("body", "a form's part has too many headers.", "Use a client library.")

    def _headers_finished(self) -> None:
        part = self._part
        _, options = parse_options_header(part.headers.get(b"content-disposition"))
        part.name = options.get(b"name", b"").decode("utf-8", "replace")
        filename = options.get(b"filename")
        part.filename = None if filename is None else filename.decode("utf-8", "replace")
        if part.name == "file" and part.filename is not None:
            if self._filename is not None:
                raise InputError("file", "one file at a time.", "Upload the others by themselves.")
            self._filename = part.filename
        elif len(self._fields) >= MAX_FIELDS:
            raise InputError("body", f"a form has {MAX_FIELDS} fields at most.", "Send file and purpose.")

    def _data(self, data: bytes, start: int, end: int) -> None:
        part = self._part
        if part.name == "file" and part.filename is not None:
            self._waiting += data[start:end]
            return
        part.value += data[start:end]
        if len(part.value) > MAX_FIELD_BYTES:
            raise InputError(part.name[:60] or "body", "is too long for a form's field.", "Send file and purpose.")

    def _part_end(self) -> None:
        part = self._part
        if not (part.name == "file" and part.filename is not None):
            self._fields[part.name] = part.value.decode("utf-8", "replace")

    def _end(self) -> None:
        self._ended = True
