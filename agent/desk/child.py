"""Verbs that load a model, carried out in a process of their own: whoever asks stays small and answers others."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from agent.errors import InputError, TunewrightError


def in_child(home: Path, verb: str, *arguments: str, seconds: float = 300.0) -> Any:
    """The JSON that `tunewright VERB ARGUMENTS --json` prints.

    Raises the error that the command tells, and TunewrightError where it takes longer than `seconds`.
    """
    command = [sys.executable, "-P", "-m", "agent.faces.cli", verb, "--json", *arguments]
    environment = os.environ | {"TUNEWRIGHT_HOME": str(home)}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL, env=environment
        )
    except subprocess.TimeoutExpired as error:
        raise TunewrightError(f"{verb} took longer than {seconds:g} s and was stopped.") from error
    try:
        reply = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError) as error:
        lines = done.stderr.strip().splitlines()
        raise TunewrightError(f"{verb} failed: {lines[-1] if lines else 'no output'}") from error
    if isinstance(reply, dict) and (problem := reply.get("error")):
        if problem.get("param"):
            raise InputError(problem["param"], problem["message"], problem.get("hint") or "", problem["code"])
        raise TunewrightError(problem["message"])
    return reply
