"""The whole benchmark: which runs are missing, run them, keep them, sum them up."""

import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

from pydantic import Field, ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from evals.search_bench.plots import write_plots
from evals.search_bench.problem import Problem
from evals.search_bench.run import MethodBuilder, Run, RunKey, run_all
from evals.search_bench.show import page
from evals.search_bench.summary import Results, summarise
from trainers.errors import InputError
from trainers.spec import Closed

RUNS, RESULTS, PAGE, PLOTS = "runs.jsonl", "results.json", "results.md", "regret.png"


class BenchSettings(Closed):
    """What is compared, and for how long."""

    methods: tuple[str, ...] = Field(min_length=1)
    trials: int = Field(25, ge=1, description="trials a run, the common start included; failed and repeated ones count")
    seeds: int = Field(8, ge=1, description="runs a method and problem; seeds 0 .. seeds-1, the same for all methods")
    start: int = Field(1, ge=1, le=10, description="trials all methods begin with: the default, then random ones")
    jobs: int = Field(1, ge=1, description="processes")


def bench(
    problems: Sequence[Problem],
    settings: BenchSettings,
    build: MethodBuilder,
    version: Callable[[str], str],
    out: Path | None = None,
    console: Console | None = None,
) -> Results:
    """Run every method on every problem in every seed and sum up.

    `version` tells the version of a method's code. With `out`, finished runs are kept there, one line each, and those
    with an equal `RunKey` are not run again; the directory also gets results.json, results.md and regret.png.
    """
    versions = {method: version(method) for method in settings.methods}
    keys = [
        RunKey(
            problem=problem.name,
            method=method,
            seed=seed,
            start=settings.start,
            trials=settings.trials,
            version=versions[method],
            data=problem.fingerprint,
        )
        for seed in range(settings.seeds)
        for problem in problems
        for method in settings.methods
    ]
    finished = {run.key: run for run in _kept(out)} if out else {}
    missing = [key for key in keys if key not in finished]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=console is None) as progress:
        task = progress.add_task("runs", total=len(keys), completed=len(keys) - len(missing))
        with (out / RUNS).open("a", encoding="utf-8") if out else nullcontext() as file:
            for run in run_all(problems, missing, build, settings.jobs):
                finished[run.key] = run
                if file is not None:
                    file.write(run.model_dump_json() + "\n")
                    file.flush()
                progress.advance(task)
    results = summarise([finished[key] for key in keys], settings.model_dump(mode="json"))
    if out is not None:
        _write(out, results, [finished[key] for key in keys])
    return results


def _kept(out: Path) -> list[Run]:
    """The runs in `out`, made if it is missing; a line that a killed benchmark left unfinished is cut off."""
    if out.exists() and not out.is_dir():
        raise InputError("--out", f"must be a directory, {out} is a file.", "Give another path.")
    out.mkdir(parents=True, exist_ok=True)
    path = out / RUNS
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    try:
        return [Run.model_validate_json(line) for line in whole.splitlines()]
    except ValidationError as error:
        rule = f"{path} holds a line that is not a run: {error.errors()[0]['msg']}."
        raise InputError("--out", rule, "Give an empty directory, or delete that line.") from None


def _write(out: Path, results: Results, runs: Sequence[Run]) -> None:
    (out / RESULTS).write_text(json.dumps(results.model_dump(mode="json"), indent=1) + "\n", encoding="utf-8")
    write_plots(runs, out / PLOTS)
    (out / PAGE).write_text(page(results, PLOTS), encoding="utf-8")
