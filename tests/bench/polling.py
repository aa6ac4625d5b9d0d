"""How long clients that poll wait for a running study's status: `python -m tests.bench.polling`.

A real study is trained on this machine's cores, a real server answers, and every client asks over a kept connection of
its own. Nothing stands between but the web framework.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import httpx

from trainers.spec import Closed

REQUEST = "classify stdlib:docstrings@600 with MiniLM, learning rate 5e-4, rank 8, batch size 32, 40 epochs, 4 trials"
START_SECONDS = 240.0


class Latencies(Closed):
    """What clients saw, in milliseconds."""

    requests: int
    failed: int
    p50_ms: float
    p95_ms: float
    worst_ms: float


def poll(url: str, token: str, study: str, clients: int, hertz: float, seconds: float) -> Latencies:
    """`clients` ask for the study's status `hertz` times a second each, at moments of their own."""
    waits: list[float] = []
    failed: list[int] = []
    headers = {"Authorization": f"Bearer {token}"}

    def one(number: int) -> None:
        with httpx.Client(headers=headers, base_url=url) as client:
            due = time.monotonic() + number / clients / hertz
            end = due + seconds
            while due < end:
                time.sleep(max(0.0, due - time.monotonic()))
                began = time.perf_counter()
                answer = client.get(f"/v1/studies/{study}")
                waits.append(1000 * (time.perf_counter() - began))
                failed.extend([answer.status_code] if answer.status_code != 200 else [])
                due += 1 / hertz

    threads = [threading.Thread(target=one, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    waits.sort()
    p50, p95 = (waits[int(share * (len(waits) - 1))] for share in (0.5, 0.95))
    return Latencies(requests=len(waits), failed=len(failed), p50_ms=p50, p95_ms=p95, worst_ms=waits[-1])


@contextmanager
def training(home: Path, cwd: Path) -> Iterator[tuple[str, str, str]]:
    """(url, token, study) of a server whose study is being trained; both are ended with the block."""
    environment = os.environ | {"TUNEWRIGHT_HOME": str(home)}
    command = [sys.executable, "-P", "-m", "agent.faces.cli", "serve", "--port", "0", "--json", "--llm", "embedded"]
    with subprocess.Popen(command, cwd=cwd, env=environment, stdout=subprocess.PIPE) as server:
        try:
            url = json.loads(server.stdout.readline())["url"] if server.stdout else ""
            token = (home / "server.token").read_text(encoding="ascii").strip()
            headers = {"Authorization": f"Bearer {token}"}
            with httpx.Client(base_url=url, headers=headers, timeout=120) as client:
                started = client.post("/v1/studies", json={"request": REQUEST, "yes": True})
                study = started.raise_for_status().json()["study"]
                end = time.monotonic() + START_SECONDS
                while not any(run["step"] for run in client.get(f"/v1/studies/{study}").json()["running"]):
                    if time.monotonic() > end:
                        raise SystemExit("the study does not train")
                    time.sleep(0.5)
                yield url, token, study
                client.post(f"/v1/studies/{study}/cancel", json={})
                while not client.get(f"/v1/studies/{study}").json()["over"]:
                    time.sleep(0.5)
        finally:
            server.terminate()
            server.wait(30)


@click.command()
@click.option("--clients", default=5, show_default=True)
@click.option("--hertz", default=1.0, show_default=True, help="polls a second of each client")
@click.option("--seconds", default=60.0, show_default=True)
def main(clients: int, hertz: float, seconds: float) -> None:
    """Poll a study that is being trained, and print what the clients waited."""
    with (
        tempfile.TemporaryDirectory(prefix="tunewright-bench-") as folder,
        training(Path(folder) / "home", Path(folder)) as (url, token, study),
    ):
        click.echo(poll(url, token, study, clients, hertz, seconds).model_dump_json())


if __name__ == "__main__":
    main()
