"""What polling costs a running study: `python -m agent.faces.http.polling.bench_polling`.

The same training run is carried out twice in a real worker, while clients that poll the study's status begin and stop
about once a second: in the second run they are silent where they polled in the first. So each stretch of steps is timed
with and without them, and a machine that is faster one minute than the next disturbs both alike. The same is done with
a server that does nothing, to know what such clients cost anyway. The running trial's events are written to the store
as the coordinator writes them, so that the server has something new to tell.
"""

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from random import Random

import click
import psutil
from pydantic import Field

from agent.desk.desk import Desk
from agent.desk.planning import create_study
from agent.faces.http.polling.pollers import Orders, Seen
from agent.request.resolve import resolve
from agent.run.local import LocalExecutor, local_slots
from agent.run.schedule import attempt_spec
from agent.settings import load_settings
from agent.study.nouns import EventKind, Phase, Proposal, Study, Trial
from tools.attempt import Failed, Finished, Progress
from trainers.spec import Closed

REQUEST = "classify stdlib:docstrings@600 with MiniLM, learning rate 5e-4, rank 8, batch size 32, {} epochs"
KINDS = ("server", "nothing")
PAST_TRIALS = 20
"""Trials beside the running one, so that the card takes as long to make as that of a real study."""


class Pair(Closed):
    """Two runs of one seed. Factors: time with polling clients over time without, of the same steps."""

    kind: str = Field(description="server: ours is polled; nothing: one that does nothing")
    seed: int
    factor: float = Field(description="of the median stretch")
    whole_factor: float = Field(description="of all stretches together, rare stalls included")
    seconds: float = Field(description="of the two runs")
    server_cpu_seconds: float
    polls: tuple[Seen, Seen]


class Estimate(Closed):
    """The mean factor of some pairs, with a 95 % interval by resampling them."""

    factor: float
    low: float
    high: float
    pairs: int


def estimate(pairs: list[Pair], kind: str, whole: bool = False) -> Estimate:
    """By how much the pairs of `kind` were slower while they were polled: the median stretch, or the whole."""
    logs = [math.log(pair.whole_factor if whole else pair.factor) for pair in pairs if pair.kind == kind]
    random = Random(0)
    again = sorted(statistics.mean(random.choices(logs, k=len(logs))) for _ in range(2000))
    low, middle, high = (math.exp(x) for x in (again[49], statistics.mean(logs), again[1949]))
    return Estimate(factor=middle, low=low, high=high, pairs=len(logs))


def factor(first: list[float], second: list[float]) -> float:
    """How much longer stretches take with clients, from the seconds of each in both runs; the first run has them in
    every other stretch, from the second one on.

    The median of the stretches of either parity by itself: where one whole run was slower, it is so with clients in
    one half and without them in the other.
    """
    logs: tuple[list[float], list[float]] = ([], [])
    for number, (one, other) in enumerate(zip(first, second, strict=True)):
        polled, silent = (one, other) if number % 2 else (other, one)
        logs[number % 2].append(math.log(polled / silent))
    return math.exp(statistics.mean(statistics.median(part) for part in logs))


def whole_factor(first: list[float], second: list[float]) -> float:
    """`factor` from the sums of the stretches in place of their medians."""
    one, other = ((sum(run[0::2]), sum(run[1::2])) for run in (first, second))
    return math.sqrt(one[1] / other[1] * other[0] / one[0])


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

    def run(self, seed: int, at_point: Callable[[int], None] = lambda number: None) -> list[float]:
        """Train once; seconds between the points of the curve, at each of which `at_point` is called."""
        self._runs += 1
        trial = self._trial.model_copy(update={"seed": seed})
        spec = attempt_spec(self.study, trial, f"bench-{self._runs}", False, None)
        self._executor.submit(spec)
        moments: list[float] = []
        while True:
            for event in self._executor.poll(1.0):
                if isinstance(event, Finished):
                    return [after - before for before, after in pairwise(moments)]
                if isinstance(event, Failed):
                    raise SystemExit(f"the training run failed: {event.reason} {event.message}")
                if isinstance(event, Progress):
                    moments.append(time.monotonic())
                    at_point(len(moments) - 1)
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


def polled(load: Load, seed: int, orders: Orders, home: Path, parity: int) -> tuple[list[float], Seen]:
    """A run with clients in the stretches of one parity, and what they saw."""
    with child("agent.faces.http.polling.pollers", home=home) as pollers:
        if pollers.stdin is None or pollers.stdout is None:
            raise RuntimeError("the pollers have no pipes")
        stdin = pollers.stdin

        def say(line: str) -> None:
            stdin.write(line + "\n")
            stdin.flush()

        say(orders.model_dump_json())
        time.sleep(1.0)
        seconds = load.run(seed, lambda number: say("on" if number % 2 == parity else "off"))
        stdin.close()
        return seconds, Seen.model_validate_json(pollers.stdout.readline())


def measure(home: Path, pairs: int, seeds: int, epochs: int, clients: int, hertz: float) -> Iterator[Pair]:
    """All pairs of runs, both kinds in turn."""
    with ExitStack() as stack:
        desk = stack.enter_context(Desk(load_settings("embedded").model_copy(update={"home": home})))
        load = Load(desk, epochs)
        stack.callback(load.close)
        server = stack.enter_context(child("agent", "serve", "--port", "0", "--json", home=home))
        port = int(str(told(server)["url"]).rpartition(":")[2])
        process = psutil.Process(server.pid)
        size = len(desk.status(load.study.study_id).model_dump_json())
        trivial = stack.enter_context(child("agent.faces.http.polling.pollers", home=home))
        trivial_port = int(str(told(trivial, json.dumps({"trivial": size}))["port"]))
        token = (home / "server.token").read_text(encoding="ascii").strip()
        path = f"/v1/studies/{load.study.study_id}"
        ports = {"server": port, "nothing": trivial_port}
        load.run(0)  # loads the model, warms the caches
        for number in range(pairs * seeds):
            for kind in KINDS if number % 2 else KINDS[::-1]:
                before = sum(process.cpu_times()[:2])
                orders = Orders(port=ports[kind], path=path, token=token, clients=clients, hertz=hertz)
                first, seen = polled(load, number % seeds, orders, home, 1)
                second, seen_again = polled(load, number % seeds, orders, home, 0)
                yield Pair(
                    kind=kind,
                    seed=number % seeds,
                    factor=factor(first, second),
                    whole_factor=whole_factor(first, second),
                    seconds=sum(first) + sum(second),
                    server_cpu_seconds=sum(process.cpu_times()[:2]) - before,
                    polls=(seen, seen_again),
                )


@click.command()
@click.option("--pairs", default=2, show_default=True, help="pairs of runs a seed, of either kind")
@click.option("--seeds", default=3, show_default=True)
@click.option("--epochs", default=4, show_default=True, help="length of a run")
@click.option("--clients", default=50, show_default=True)
@click.option("--hertz", default=5.0, show_default=True, help="polls a second of each client")
@click.option("--json", "as_json", is_flag=True, help="one JSON object a pair")
def main(pairs: int, seeds: int, epochs: int, clients: int, hertz: float, as_json: bool) -> None:
    """Time a training run with and without clients that poll its status."""
    found: list[Pair] = []
    with tempfile.TemporaryDirectory(prefix="tunewright-bench-") as home:
        for pair in measure(Path(home), pairs, seeds, epochs, clients, hertz):
            found.append(pair)
            if as_json:
                click.echo(pair.model_dump_json())
            else:
                p95 = max(seen.p95_ms for seen in pair.polls)
                click.echo(
                    f"seed {pair.seed} {pair.kind:<8} {pair.factor:.3f}  {pair.seconds:6.1f} s  p95 {p95:.1f} ms"
                )
    _summary(found)


def _summary(pairs: list[Pair]) -> None:
    for kind, what in (("server", "server and clients"), ("nothing", "clients alone")):
        for whole, of in ((False, "the median stretch"), (True, "the whole")):
            found = estimate(pairs, kind, whole)
            shown = f"{found.factor:.3f} ({found.low:.3f} to {found.high:.3f}, {found.pairs} pairs)"
            click.echo(f"{what:<20} slow {of:<18} down by a factor of {shown}")
    polls = [seen for pair in pairs if pair.kind == "server" for seen in pair.polls]
    requests = sum(seen.requests for seen in polls)
    cpu = sum(pair.server_cpu_seconds for pair in pairs if pair.kind == "server")
    for name in ("p50_ms", "p95_ms", "p99_ms"):
        values = [getattr(seen, name) for seen in polls]
        click.echo(f"latency {name[:3]}: {statistics.median(values):.1f} ms (worst run {max(values):.1f})")
    clients = sum(seen.cpu_seconds for seen in polls)
    each = f"{1000 * cpu / requests:.3f} ms of the server, {1000 * clients / requests:.3f} ms of the clients"
    click.echo(f"processor time a request: {each}; {requests} requests, {sum(s.errors for s in polls)} errors")


if __name__ == "__main__":
    main()
