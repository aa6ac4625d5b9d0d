"""Starts vLLM's server with every route behind the key. Run by the Python of vLLM's environment, so: no import of ours.

vLLM itself checks the key on /v1 and a few more paths only; /invocations and /tokenize would serve anybody on this
machine. `python entry.py --middleware tunewright_entry.KeyOnEveryRoute ...` passes the arguments on to vLLM.
"""

import hmac
import os
import runpy
import sys
from typing import Any

OPEN_PATHS = ("/health",)


class KeyOnEveryRoute:
    """ASGI middleware: 401 for a request without `Authorization: Bearer $VLLM_API_KEY`."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._expected = f"Bearer {os.environ['VLLM_API_KEY']}".encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request."""
        if scope["type"] not in ("http", "websocket") or scope["path"] in OPEN_PATHS or self._knows_key(scope):
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        await send({"type": "http.response.start", "status": 401, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"the key is missing or wrong\n"})

    def _knows_key(self, scope: Any) -> bool:
        return any(
            name.lower() == b"authorization" and hmac.compare_digest(value, self._expected)
            for name, value in scope["headers"]
        )


if __name__ == "__main__":
    sys.modules["tunewright_entry"] = sys.modules["__main__"]  # where --middleware finds the class
    runpy.run_module("vllm.entrypoints.openai.api_server", run_name="__main__", alter_sys=True)
