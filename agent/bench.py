"""The benchmarks of evals/, handed what they measure."""

import json
from pathlib import Path

import click
from rich.console import Console

from agent.settings import Settings


def score_reader(part: str, path: Path | None, settings: Settings, console: Console, as_json: bool) -> None:
    """Score the request reader of `settings.llm` on labelled requests and print the numbers."""
    from agent.llm import planner_for
    from agent.request.draft import Draft
    from agent.request.plan_view import plan_json
    from agent.request.read import read_request
    from agent.request.resolve import resolve_words
    from evals.requests.labelled import load_part, load_rows
    from evals.requests.score import Reading, print_scores, reading_from_plan, score

    planner = planner_for(settings.llm)

    def read(turns: list[str]) -> Reading:
        draft: Draft | None = None
        for turn in turns:
            draft = read_request(turn, planner=planner, previous=draft)
        if draft is None:
            raise ValueError("a labelled request has at least one turn")
        return reading_from_plan(plan_json(resolve_words(turns[-1], draft, settings)))

    scores = score(load_rows(path) if path else load_part(part), read)
    if as_json:
        click.echo(json.dumps(scores.model_dump(mode="json")))
    else:
        print_scores(scores, console)
