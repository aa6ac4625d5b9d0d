"""A scripted study with watchers, and a server on this machine that keeps what it is sent."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from agent.report.build import build_report
from agent.report.watching.watched import watched
from agent.settings import Settings, Watching


def write_report(material, directory):
    """The real report as data, without its plots, which take seconds."""
    (directory / "report.json").write_text(build_report(material, directory).model_dump_json())


@pytest.fixture
def settings(store, tmp_path):
    """`settings(export={...})`: those of the store's home with these sections."""

    def made(**sections):
        watching = Watching.model_validate(sections)
        return Settings(home=tmp_path, roots=(tmp_path,), watching=watching)

    return made


@pytest.fixture
def carry_out(lab, store, settings):
    """Carries a study out under watch, to its report; gives its stored events."""

    def run(study_id, executor=None, observer=None, flush_seconds=30.0, **sections):
        study = store.study(study_id)
        with watched(observer or lab.Recorder(), study, store, settings(**sections), flush_seconds) as everyone:
            lab.run(store, study_id, executor, observer=everyone, write_report=write_report)
        return store.events(study_id)

    return run


@pytest.fixture
def troubles():
    """What watchers were in trouble with, among events: (name, message) pairs."""
    return lambda events: [(e.data["name"], e.data["message"]) for e in events if e.kind == "watcher"]


class Receiver:
    """Keeps (path, headers, body) of every POST and answers with the next of `answers`, the last one for ever."""

    def __init__(self, answers=(200,), headers=()):
        self.answers, self.headers, self.got = list(answers), dict(headers), []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                answer = receiver.answers.pop(0) if len(receiver.answers) > 1 else receiver.answers[0]
                self.send_response(answer)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @contextmanager
    def serving(self):
        """Answers until the block ends."""
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield self
        finally:
            self.server.shutdown()
            self.server.server_close()


@pytest.fixture
def receiver():
    """`receiver(answers, headers)`: a running `Receiver`; all end with the test."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda *given, **named: stack.enter_context(Receiver(*given, **named).serving())
