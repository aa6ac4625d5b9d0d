"""What polling costs a running study: `python -m agent.server.bench_polling`.

One and the same training run, in a real worker, is timed again and again: alone (A), while clients poll the study's
status at a real server (B), and while the same clients poll a server that does nothing (C). The three are compared
run by run, so that a busy machine disturbs all of them alike. The running trial's events are written to the store as
the coordinator writes them, so that the server has something new to tell about once a second.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

import click
import psutil

from agent.desk.desk import Desk
from agent.job import create_study
from agent.request.resolve import resolve
from agent.run.local import LocalExecutor, local_slots
from agent.schedule import attempt_spec
from agent.server.pollers import Orders, Seen
from agent.settings import load_settings
from agent.study import EventKind, Phase, Proposal, Study, Trial
from tools.attempt import Failed, Finished, Progress
from trainers.spec import Closed

REQUEST = "classify stdlib:docstrings@600 with MiniLM, learning rate 5e-4, rank 8, batch size 32, {} epochs"
KINDS = ("alone", "polled", "control")
PAST_TRIALS = 20
"""Trials beside the running one, so that the card takes as long to make as that of a real study."""


class Run(Closed):
    """One timed training run."""

    kind: str
    round: int
    seed: int
    seconds: float
    server_cpu_seconds: float = 0.0
    polls: Seen | None = None


class Ratio(Closed):
    """How much longer a run took than the one alone beside it: median, and a 95 % interval by resampling pairs."""

    median: float
    low: float
    high: float
    pairs: int


def ratio(runs: list[Run], kind: str) -> Ratio:
    """Runs of `kind` over those alone, of the same round."""
    by_round: dict[int, dict[str, float]] = {}
    for run in runs:
        by_round.setdefault(run.round, {})[run.kind] = run.seconds
    found = [times[kind] / times["alone"] for times in by_round.values() if kind in times and "alone" in times]
    random = Random(0)
    again = sorted(statistics.median(random.choices(found, k=len(found))) for _ in range(2000))
    return Ratio(median=statistics.median(found), low=again[49], high=again[1949], pairs=len(found))


class Load:
    """The same training run, again and again, in one resident worker; its events go to the store."""

    def __init__(self, desk: Desk, epochs: int) -> None:
        request = REQUEST.format(epochs)
        draft, _ = desk.read(request)
        resolved = resolve(request, draft, desk.settings)
        if not resolved.plan.ready:
            raise SystemExit(f"cannot be planned here: {resolved.plan.error or resolved.plan.questions}")
        self._store = desk.store
        self.study: Study = desk.study(create_study(resolved, desk.settings, desk.store, "bench"))
        config = resolved.plan.space.default() if resolved.plan.space else {}
        proposals = [(Proposal(config=config, source="default", why="bench"), 0)] * (PAST_TRIALS + 1)
        self._trial: Trial = desk.store.add_trials(self.study.study_id, Phase.SEARCH, proposals)[0]
        desk.store.start_attempt(self._trial.trial_id, "cpu")
        self._executor = LocalExecutor(local_slots(resolved.plan.device, 1), self.study.directory)
        self._runs, self._told = 0, 0.0

    def close(self) -> None:
        """End the worker."""
        self._executor.close()

    def run(self, seed: int) -> float:
        """Seconds inside the training loop, evaluations excluded."""
        self._runs += 1
        trial = self._trial.model_copy(update={"seed": seed})
        spec = attempt_spec(self.study, trial, f"bench-{self._runs}", False, None)
        self._executor.submit(spec)
        while True:
            for event in self._executor.poll(1.0):
                if isinstance(event, Finished):
                    return event.train.train_seconds
                if isinstance(event, Failed):
                    raise SystemExit(f"the training run failed: {event.reason} {event.message}")
                if isinstance(event, Progress):
                    self._tell(event)

    def _tell(self, event: Progress) -> None:
        if time.monotonic() - self._told >= 1.0:
            self._told = time.monotonic()
            data = {"total_steps": event.total_steps, **event.point.model_dump(exclude_none=True)}
            self._store.log_event(self.study.study_id, EventKind.PROGRESS, self._trial.trial_id, data)


@contextmanager
def child(module: str, *arguments: str, home: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of ours with pipes; ended with the block."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", module, *arguments],
        env=os.environ | {"TUNEWRIGHT_HOME": str(home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def told(process: subprocess.Popen[str], orders: str = "") -> dict[str, object]:
    """The next JSON line that a process prints, after `orders` were given to it."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the process has no pipes")
    if orders:
        process.stdin.write(orders + "\n")
        process.stdin.flush()
    answer: dict[str, object] = json.loads(process.stdout.readline())
    return answer


def polled(load: Load, seed: int, orders: Orders, home: Path) -> tuple[float, Seen]:
    """A run while clients poll, and what they saw."""
    with child("agent.server.pollers", home=home) as pollers:
        if pollers.stdin is None or pollers.stdout is None:
            raise RuntimeError("the pollers have no pipes")
        pollers.stdin.write(orders.model_dump_json() + "\n")
        pollers.stdin.flush()
        time.sleep(1.0)
        seconds = load.run(seed)
        pollers.stdin.close()
        return seconds, Seen.model_validate_json(pollers.stdout.readline())


def measure(home: Path, rounds: int, seeds: int, epochs: int, clients: int, hertz: float) -> Iterator[Run]:
    """All runs, in rounds of three in changing order."""
    with ExitStack() as stack:
        desk = stack.enter_context(Desk(load_settings("embedded").model_copy(update={"home": home})))
        load = Load(desk, epochs)
        stack.callback(load.close)
        server = stack.enter_context(child("agent", "serve", "--port", "0", "--json", home=home))
        port = int(str(told(server)["url"]).rpartition(":")[2])
        process = psutil.Process(server.pid)
        size = len(desk.status(load.study.study_id).model_dump_json())
        trivial = stack.enter_context(child("agent.server.pollers", home=home))
        trivial_port = int(str(told(trivial, json.dumps({"trivial": size}))["port"]))
        token = (home / "server.token").read_text(encoding="ascii").strip()
        path = f"/v1/studies/{load.study.study_id}"
        ports = {"polled": port, "control": trivial_port}
        load.run(0)  # loads the model, warms the caches
        for number in range(rounds * seeds):
            seed = number // rounds
            for kind in KINDS[number % 3 :] + KINDS[: number % 3]:
                before = sum(process.cpu_times()[:2])
                seen = None
                if kind == "alone":
                    seconds = load.run(seed)
                else:
                    orders = Orders(port=ports[kind], path=path, token=token, clients=clients, hertz=hertz)
                    seconds, seen = polled(load, seed, orders, home)
                used = sum(process.cpu_times()[:2]) - before
                yield Run(kind=kind, round=number, seed=seed, seconds=seconds, server_cpu_seconds=used, polls=seen)


@click.command()
@click.option("--rounds", default=4, show_default=True, help="rounds of three runs a seed")
@click.option("--seeds", default=3, show_default=True)
@click.option("--epochs", default=4, show_default=True, help="length of a run")
@click.option("--clients", default=50, show_default=True)
@click.option("--hertz", default=5.0, show_default=True, help="polls a second of each client")
@click.option("--json", "as_json", is_flag=True, help="one JSON object a run")
def main(rounds: int, seeds: int, epochs: int, clients: int, hertz: float, as_json: bool) -> None:
    """Time a training run alone, beside polling clients, and beside clients of a server that does nothing."""
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="tunewright-bench-") as home:
        for run in measure(Path(home), rounds, seeds, epochs, clients, hertz):
            runs.append(run)
            if as_json:
                click.echo(run.model_dump_json())
            else:
                beside = f"  p50 {run.polls.p50_ms:.1f}  p95 {run.polls.p95_ms:.1f} ms" if run.polls else ""
                click.echo(f"{run.round:>3} seed {run.seed} {run.kind:<8} {run.seconds:7.2f} s{beside}", err=False)
    _summary(runs)


def _summary(runs: list[Run]) -> None:
    for kind, what in (("polled", "server and clients"), ("control", "clients alone")):
        found = ratio(runs, kind)
        shown = f"{found.median:.3f} ({found.low:.3f} to {found.high:.3f}, {found.pairs} pairs)"
        click.echo(f"{what:<20} slow a run down by a factor of {shown}")
    polls = [run for run in runs if run.kind == "polled" and run.polls is not None]
    requests = sum(run.polls.requests for run in polls if run.polls)
    cpu = sum(run.server_cpu_seconds for run in polls)
    clients = sum(run.polls.cpu_seconds for run in polls if run.polls)
    for name in ("p50_ms", "p95_ms", "p99_ms"):
        worst = max(getattr(run.polls, name) for run in polls)
        middle = statistics.median(getattr(run.polls, name) for run in polls)
        click.echo(f"latency {name[:3]}: {middle:.1f} ms (worst run {worst:.1f})")
    errors = sum(run.polls.errors for run in polls if run.polls)
    each = f"{1000 * cpu / requests:.3f} ms of the server, {1000 * clients / requests:.3f} ms of the clients"
    click.echo(f"processor time a request: {each}; {requests} requests, {errors} errors")


if __name__ == "__main__":
    main()
