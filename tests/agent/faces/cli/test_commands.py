"""The command line's edges: streams that nobody reads, and what is said without a study."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.faces.cli.commands import cli


def test_closed_output_keeps_the_exit_code() -> None:
    """A command whose reader went away ends with its own code, not with the 120 of a failed flush at exit."""
    code = (
        "import sys\nfrom agent.faces.cli.commands import guarded\nfrom agent.errors import ObserverGone\n"
        "@guarded\ndef command():\n    sys.stdout.write('x' * 100)\n    raise ObserverGone('nobody reads')\n"
        "sys.stdin.readline()\ncommand()\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", code],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.close()
    process.stdin.write(b"\n")
    process.stdin.close()
    assert process.wait(timeout=60) == 130


def test_views_without_any_study_say_how_to_start(tmp_path: Path) -> None:
    """There is no database yet: bad input with the next step, and none is made."""
    environment = {**os.environ, "TUNEWRIGHT_HOME": str(tmp_path / "home")}
    for verb in ("status", "show", "report", "events", "logs"):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "agent.faces.cli", verb],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, "tunewright run" in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "home" / "tunewright.db").exists()


COMMANDS = """resume 1, wait 1, queue, status, show 1, logs 1, events 1, cancel 1, pause 1, report 1,
explain 1, compare 1, export 1, call, bench search --methods nonsense, bench requests --file /no"""


@pytest.mark.parametrize("words", COMMANDS.replace("\n", " ").split(", "))
def test_every_command_reaches_its_work(words: str) -> None:
    """A command that imports its work by name passes what it takes; without a study that is bad input at most."""
    result = CliRunner().invoke(cli, [*words.split(), "--json"])
    assert result.exit_code in (0, 2), result.exception
