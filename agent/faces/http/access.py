"""Who may talk to the server: one token a home directory, and the cookie that a browser gets for a one-time code."""

import hashlib
import hmac
import os
import secrets
import threading
import time
from pathlib import Path
from tempfile import NamedTemporaryFile

from agent.errors import InputError

TOKEN_FILE = "server.token"  # noqa: S105 - the name of a file
TOKEN_VARIABLE = "TUNEWRIGHT_SERVER_TOKEN"  # noqa: S105 - the name of a variable
TOKEN_BYTES = 32
SHORTEST_TOKEN = 32
"""Characters of a token given from outside: anything shorter could be guessed."""
CODE_SECONDS = 24 * 3600.0
MAX_CODES = 64


class Access:
    """Checks tokens and cookies, hands out and takes back one-time codes. Usable from several threads."""

    def __init__(self, token: str) -> None:
        self._bearer = token.encode()
        # not the token itself: what a browser stores is of no use as a bearer token
        self._cookie = hmac.new(self._bearer, b"tunewright ui cookie", hashlib.sha256).hexdigest().encode()
        self._codes: dict[str, float] = {}
        self._lock = threading.Lock()

    @property
    def cookie(self) -> str:
        """The value of the cookie; the same after a restart, another one with another token."""
        return self._cookie.decode()

    def bearer_fits(self, header: bytes) -> bool:
        """Whether an `Authorization` header holds the token; takes the same time whatever it holds."""
        return header[:7].lower() == b"bearer " and hmac.compare_digest(header[7:].strip(), self._bearer)

    def cookie_fits(self, value: bytes) -> bool:
        """Whether a cookie's value is the one handed out."""
        return hmac.compare_digest(value, self._cookie)

    def new_code(self) -> str:
        """A code for one login within a day; the oldest of many is forgotten."""
        code = secrets.token_urlsafe(TOKEN_BYTES)
        with self._lock:
            while len(self._codes) >= MAX_CODES:
                self._codes.pop(next(iter(self._codes)))
            self._codes[_digest(code)] = time.monotonic() + CODE_SECONDS
        return code

    def take_code(self, code: str) -> bool:
        """Whether the code was handed out and not used yet; it is used up now."""
        with self._lock:
            until = self._codes.pop(_digest(code), None)
        return until is not None and time.monotonic() < until


def _digest(code: str) -> str:
    """What is looked up, so that how long it takes tells nothing of the codes."""
    return hashlib.sha256(code.encode()).hexdigest()


def server_token(home: Path, new: bool = False) -> str:
    """The token of this home: $TUNEWRIGHT_SERVER_TOKEN, else that of its file, which is made where there is none.

    `new` puts another one into the file. Raises InputError for a token that could be guessed and for a file that
    others may read.
    """
    if token := os.environ.get(TOKEN_VARIABLE):
        if len(token) < SHORTEST_TOKEN or not token.isascii() or any(c.isspace() for c in token):
            rule = f"must have {SHORTEST_TOKEN} characters or more, without spaces."
            hint = "Make one with: python -c 'import secrets; print(secrets.token_hex(32))'"
            raise InputError(TOKEN_VARIABLE, rule, hint)
        return token
    if new or (token := stored_token(home)) is None:
        token = secrets.token_hex(TOKEN_BYTES)
        write_private(home / TOKEN_FILE, token + "\n")
    return token


def stored_token(home: Path) -> str | None:
    """The token in the file; None without one. Raises InputError where other users could read it."""
    path = home / TOKEN_FILE
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            mode = os.fstat(file.fileno()).st_mode
            token = file.read(4096).strip()
    except FileNotFoundError:
        return None
    if mode & 0o077:
        hint = f"chmod 600 {path}, and start once with --new-token."
        raise InputError("token", f"{path} may be read by others.", hint)
    return token if len(token) >= SHORTEST_TOKEN else None


def write_private(path: Path, text: str) -> None:
    """Put `text` into a file that only its owner may read, in one move."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)
