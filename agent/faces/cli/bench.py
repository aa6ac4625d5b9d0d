"""The benchmarks of evals/, handed what they measure."""

import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

import click
from pydantic import ValidationError
from rich.console import Console

from agent.faces.console import console
from agent.llm.open import open_planner
from agent.request.draft import Draft
from agent.request.plan_rows import plan_json
from agent.request.read import read_request
from agent.request.resolve import resolve
from agent.search.methods import DEFAULT_METHODS, NO_LLM, BenchLlm, asks_llm, check_methods, method, method_version
from agent.settings import Settings
from evals.requests.labelled import load_part, load_rows
from evals.requests.reading import Reading, reading_from_plan
from evals.requests.score import print_scores, score
from evals.search_bench.bench import BenchSettings, bench
from evals.search_bench.show import print_results
from evals.search_bench.suites import load_problems
from trainers.errors import InputError


def score_reader(part: str, path: Path | None, settings: Settings, as_json: bool) -> None:
    """Score the request reader of `settings.llm` on labelled requests and print the numbers.

    What is scored is the JSON that `tunewright plan --json` prints, in an empty directory and without the hub. Which
    requests of the test part failed is not told, so that it stays unseen by whoever writes rules.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"  # read by huggingface_hub when it is imported, which is not yet
    planner = open_planner(settings.llm)
    rows = load_rows(path) if path else load_part(part)
    with tempfile.TemporaryDirectory() as empty:
        nowhere = settings.model_copy(update={"roots": (Path(empty).resolve(),)})

        def read(turns: list[str]) -> Reading:
            draft = Draft()
            for number, turn in enumerate(turns):
                draft = read_request(turn, planner=planner, previous=draft if number else None)
            return reading_from_plan(plan_json(resolve(turns[-1], draft, nowhere).plan))

        scores = score(rows, read)
    public = path is not None or part == "develop"
    if as_json:
        click.echo(json.dumps(scores.model_dump(mode="json", exclude=None if public else {"failures"})))
    else:
        print_scores(scores, console(), failures=public)


def compare_searches(
    methods: str | None,
    suite: str | None,
    tables: tuple[Path, ...],
    only: tuple[str, ...],
    renamed: bool,
    out: Path | None,
    settings: Settings,
    as_json: bool,
    **numbers: int,
) -> None:
    """Run search methods on problems with known scores and print how much regret each leaves (`bench search`).

    Methods and suites are names with commas; no suite: the tables where a directory is given, else the made-up
    functions. `numbers` are fields of BenchSettings. Raises InputError for unknown names, bad tables, numbers out of
    range, and for methods that need an LLM where there is none or it cannot be opened.
    """
    names, suites = _names_in(methods) or DEFAULT_METHODS, _names_in(suite)
    try:
        checked = BenchSettings(methods=names, **numbers)
    except ValidationError as error:
        first = error.errors()[0]
        option = f"--{first['loc'][0]}"
        raise InputError(option, f"{first['msg']}, got {first['input']}.", "Give a number in range.") from None
    planner = BenchLlm(settings.llm, checked.trials) if asks_llm(names) else NO_LLM
    check_methods(names, planner)
    problems = load_problems(suites or (("tables",) if tables else ("synthetic",)), tables, only, renamed)
    progress = Console(stderr=True)
    version = partial(method_version, llm=planner)
    results = bench(problems, checked, partial(method, llm=planner), version, out, progress)
    if as_json:
        click.echo(json.dumps(results.model_dump(mode="json")))
    else:
        print_results(results, Console() if sys.stdout.isatty() else Console(width=120, color_system=None))


def _names_in(text: str | None) -> tuple[str, ...]:
    """The names of a list with commas."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())
