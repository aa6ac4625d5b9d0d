"""The pages of the documentation, their fenced blocks, and a session that carries them out as a reader would.

A block may be preceded by a comment that Markdown does not show:

    <!-- not run: REASON -->             it needs what a test does not have
    <!-- background: TEXT -->            it goes on; the next block starts when it has printed TEXT
    <!-- output of the block above -->   the words of this text occur in what was printed
    <!-- exact output of the block above -->   its lines do

Lines of a console block that begin with `› ` are typed into the command above them, at its own prompt; `^C` is Ctrl-C.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pexpect
import psutil

ROOT = Path(__file__).parent.parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
RUNS = ("bash", "console", "python")
SHOWN = ("text", "json", "yaml", "toml", "")
NOT_RUN, BACKGROUND = "not run: ", "background: "
WORDS, LINES = "output of the block above", "exact output of the block above"
PATIENCE_SECONDS = 900.0

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<body>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL
)
_COMMENT = re.compile(r"<!-- ([^\n]*?) -->\s*$")
_WORD = re.compile(r"[A-Za-z][A-Za-z_]{2,}")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>78]|\x1b\][^\x07]*\x07|\r")
TYPED = "› "


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: Path
    line: int
    language: str
    text: str
    note: str = ""

    @property
    def place(self) -> str:
        """Where it stands, for a message."""
        inside = self.page.is_relative_to(ROOT)
        return f"{self.page.relative_to(ROOT) if inside else self.page.name}:{self.line}"

    @property
    def skipped(self) -> bool:
        """Whether it is marked as not run."""
        return self.note.startswith(NOT_RUN)

    @property
    def commands(self) -> list[tuple[str, str]]:
        """(command, what it is said to print) of a console block; lines that begin with `> ` go on with a command."""
        found: list[tuple[list[str], list[str]]] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append(([line[2:]], []))
            elif line.startswith("> ") and found and not found[-1][1]:
                found[-1][0].append(line[2:])
            elif found:
                found[-1][1].append(line)
        return [("\n".join(command) + "\n", "\n".join(shown)) for command, shown in found]


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for fence in _FENCE.finditer(text):
        before = text[: fence.start()]
        note = _COMMENT.search(before)
        indent = len(fence["indent"])
        body = "".join(line[indent:] if line[:indent].isspace() else line for line in fence["body"].splitlines(True))
        line = before.count("\n") + 1
        found.append(Block(page, line, fence["language"], body, note[1] if note else ""))
    return found


def missing(shown: str, printed: str, exact: bool = False) -> list[str]:
    """What a page shows and the command did not print: words, and lines that are one number; or all lines (`exact`).

    Numbers within lines may differ: hashes, times, scores.
    """
    lines = {" ".join(line.split()) for line in printed.splitlines()}
    wanted = [" ".join(line.split()) for line in shown.splitlines() if exact or line.strip().isdigit()]
    if lost := [line for line in wanted if line and line not in lines]:
        return lost
    if exact:
        return []
    words = set(_WORD.findall(printed))
    return [word for word in dict.fromkeys(_WORD.findall(shown)) if word not in words]


class Failed(AssertionError):
    """A block did not do what its page says."""


class Session:
    """A reader at work: one shell and one Python, in one working directory, with a home directory of their own."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.home, self._notes = directory / "work", directory / "user", directory / "notes"
        for made in (self.directory, self.home, self._notes):
            made.mkdir(parents=True)
        own = re.compile(r"(TUNEWRIGHT_|XDG_).*|.*_API_KEY")
        kept = {name: value for name, value in os.environ.items() if not own.fullmatch(name)}
        scripts = str(Path(sys.executable).parent)
        self._environment = kept | {
            "PATH": os.pathsep.join((scripts, kept.get("PATH", ""))),
            "HOME": str(self.home),
            "HF_HUB_OFFLINE": "1",
            "COLUMNS": "80",
        }
        self._shell: subprocess.Popen[str] | None = None
        self._python: subprocess.Popen[str] | None = None
        self._count = 0
        self.printed = self.transcript = ""

    def run(self, block: Block) -> None:
        """Carry a block out, or hold it against what the one before it printed. Raises Failed."""
        if block.note in (WORDS, LINES):
            if lost := missing(block.text, self.printed, exact=block.note == LINES):
                raise Failed(f"{block.place}: not printed: {lost}\n{self.printed}")
        elif block.skipped or block.language not in RUNS:
            return
        elif block.language == "python":
            self._do(block, self._say_python, block.text)
        elif block.language == "bash":
            self._do(block, self._say_shell, block.text)
        else:
            self._console(block)

    def _console(self, block: Block) -> None:
        commands = block.commands
        for (command, shown), (after, _) in zip(commands, [*commands[1:], ("", "")], strict=True):
            if TYPED in shown:
                self._converse(block, command, shown)
                continue
            self._do(block, self._say_shell, command, may_fail=after.strip() == "echo $?")
            exact = command.strip() == "echo $?"
            if lost := missing(shown, self.printed, exact):
                raise Failed(f"{block.place}: `{command.strip()}` did not print {lost}\n{self.printed}")

    def _converse(self, block: Block, command: str, shown: str) -> None:
        """Type the lines of `shown` into a program in a terminal, each once what stands above it has been printed."""
        self._take_exports()
        first, *turns = re.split(rf"^{TYPED}", shown, flags=re.MULTILINE)
        terminal = Terminal(command, self.directory, self._environment)
        try:
            terminal.await_words(first, block.place)
            for turn in turns:
                line, _, reply = turn.partition("\n")
                terminal.type(line.strip())
                terminal.await_words(reply, block.place)
            if (code := terminal.end()) != 0:
                raise Failed(f"{block.place}: `{command.strip()}` ended with {code}\n{terminal.printed}")
        finally:
            self.transcript += f"$ {command}{terminal.printed}"
            terminal.close()

    def _do(self, block: Block, say, text: str, may_fail: bool = False) -> None:
        self._count += 1
        script, out = self._notes / f"{self._count}", self._notes / f"{self._count}.out"
        script.write_text(text, encoding="utf-8")
        out.touch()
        until = block.note.removeprefix(BACKGROUND) if block.note.startswith(BACKGROUND) else ""
        said = say(script, out, bool(until))
        if until:
            said = self._wait_for(until, out)
        self.printed = out.read_text(encoding="utf-8", errors="replace")
        self.transcript += f"$ {text}{self.printed}" if block.language == "console" else self.printed
        if said != "0" and not may_fail:
            raise Failed(f"{block.place}: ended with {said}\n{text}\n--- printed ---\n{self.printed}")

    def _say_shell(self, script: Path, out: Path, background: bool) -> str:
        if self._shell is None:
            self._shell = self._start(["bash", "--noprofile", "--norc"])
            self._tell(self._shell, "set -o pipefail; last=0")
        goes_on = f". {script} > {out} 2>&1 < /dev/null"
        if background:
            return self._tell(self._shell, f"( {goes_on} ) & echo; echo said 0", answer=True)
        return self._tell(self._shell, f"(exit $last); {goes_on}; last=$?; echo; echo said $last", answer=True)

    def _say_python(self, script: Path, out: Path, background: bool) -> str:
        assert not background, "only shell commands go on in the background"
        if self._python is None:
            self._take_exports()
            self._python = self._start([sys.executable, "-P", str(Path(__file__).with_name("reader.py"))])
        return self._tell(self._python, f"{script}\t{out}", answer=True)

    def _take_exports(self) -> None:
        """What the shell has exported so far, Python sees when it starts."""
        if self._shell is not None:
            told = self._notes / "environment"
            self._tell(self._shell, f"env -0 > {told}; echo said 0", answer=True)
            pairs = told.read_text(encoding="utf-8").split("\0")
            self._environment = dict(pair.split("=", 1) for pair in pairs if pair)

    def _start(self, command: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command, cwd=self.directory, env=self._environment, text=True, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    @staticmethod
    def _tell(process: subprocess.Popen[str], line: str, answer: bool = False) -> str:
        """Give a line to a process; its answer is the last word of the line that begins with "said"."""
        process.stdin.write(line + "\n")
        process.stdin.flush()
        while answer:
            heard = process.stdout.readline()
            if not heard:
                return "the end of the session"
            if heard.startswith("said "):
                return heard.split()[-1]
        return "0"

    @staticmethod
    def _wait_for(text: str, out: Path) -> str:
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            if text in out.read_text(encoding="utf-8", errors="replace"):
                return "0"
            time.sleep(0.1)
        return f"no {text!r}"

    def close(self) -> None:
        """End everything that the page started, studies included."""
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("HOME") == str(self.home):
                    process.send_signal(signal.SIGKILL)
        for started in (self._shell, self._python):
            if started is not None:
                with suppress(ProcessLookupError):
                    os.killpg(started.pid, signal.SIGKILL)
                started.wait()


class Terminal:
    """A program in a terminal of its own, and somebody who types."""

    def __init__(self, command: str, cwd: Path, environment: dict[str, str]) -> None:
        script = ["--noprofile", "--norc", "-c", command]
        self._child = pexpect.spawn(
            "bash", script, cwd=str(cwd), env=environment | {"TERM": "xterm-256color"},
            encoding="utf-8", codec_errors="replace", dimensions=(40, 100), timeout=1,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a run in the background has it ignored
        )  # fmt: skip
        self.printed = ""
        self._read = 0

    def type(self, line: str) -> None:
        """A line, once the program has been quiet for a moment; or Ctrl-C, once somebody has seen what is shown."""
        if line == "^C":
            self._more(3.0)
            time.sleep(3.0)  # a program that has just told of Ctrl-C may not listen for it yet
            self._read = len(self.printed)
            self._child.sendintr()
            return
        until = time.monotonic() + PATIENCE_SECONDS
        while self._more(1.0) or TYPED.strip() not in self.printed[self._read :]:
            if time.monotonic() > until:
                raise Failed(f"no prompt for {line!r}\n{self.printed}")
        self._read = len(self.printed)
        self._child.send(line + "\r")

    def await_words(self, shown: str, place: str) -> None:
        """Wait until all words of `shown` have been printed since the last line was typed. Raises Failed."""
        until = time.monotonic() + PATIENCE_SECONDS
        while lost := missing(shown, self.printed[self._read :]):
            if not self._more(1.0) and (time.monotonic() > until or not self._child.isalive()):
                raise Failed(f"{place}: not printed: {lost}\n{self.printed}")

    def end(self) -> int:
        """The exit code of the program, which must be about to end."""
        while self._more(30.0):
            pass
        self.close()
        return -1 if self._child.exitstatus is None else int(self._child.exitstatus)

    def close(self) -> None:
        """End it."""
        self._child.close(force=True)

    def _more(self, seconds: float) -> bool:
        """Read what comes within so many seconds; False where nothing does."""
        try:
            self.printed += _CONTROL.sub("", self._child.read_nonblocking(65536, seconds))
        except (pexpect.TIMEOUT, pexpect.EOF):
            return False
        return True


def main(page: Path) -> None:
    """Carry a page out and print what its blocks print: `python tests/docs/pages.py docs/tutorial.md`."""
    with tempfile.TemporaryDirectory() as directory:
        session = Session(Path(directory) / "reader")
        try:
            for block in blocks(page.resolve()):
                started = time.monotonic()
                print(f"--- {block.place} {block.language} {block.note}", flush=True)
                session.run(block)
                if block.language in RUNS and not block.skipped:
                    print(session.transcript, f"[{time.monotonic() - started:.1f} s]", flush=True)
                    session.transcript = ""
        finally:
            session.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
