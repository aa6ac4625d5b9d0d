"""The benchmarks of evals/, handed what they measure."""

import json
import os
import tempfile
from pathlib import Path

import click
from rich.console import Console

from agent.settings import Settings


def score_reader(part: str, path: Path | None, settings: Settings, console: Console, as_json: bool) -> None:
    """Score the request reader of `settings.llm` on labelled requests and print the numbers.

    What is scored is the JSON that `tunewright plan --json` prints, in an empty directory and without the hub. Which
    requests of the test part failed is not told, so that it stays unseen by whoever writes rules.
    """
    from evals.requests.labelled import load_part, load_rows
    from evals.requests.score import Reading, print_scores, reading_from_plan, score

    os.environ["HF_HUB_OFFLINE"] = "1"  # read by huggingface_hub when it is imported, which is not yet
    from agent.llm import open_planner
    from agent.request.draft import Draft
    from agent.request.plan_view import plan_json
    from agent.request.read import read_request
    from agent.request.resolve import resolve

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
    told = path is not None or part == "develop"
    if as_json:
        click.echo(json.dumps(scores.model_dump(mode="json", exclude=None if told else {"failures"})))
    else:
        print_scores(scores, console, failures=told)
