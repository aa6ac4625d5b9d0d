"""The command line: parse, call one function, print. `tunewright --help` must answer in half a second, so everything
heavy is imported inside the command that needs it.

Exit codes: 0 done, 1 the work failed, 2 bad input, 3 needs an answer or approval, 4 budget spent before anything
useful, 130 interrupted.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from agent.faces.console import guarded, print_error
from agent.settings import load_settings
from trainers.errors import InputError

Parameter = Callable[[Callable[..., Any]], Callable[..., Any]]
"""An argument or option of click's."""

Work = Callable[[], Callable[..., int | None]]
"""Gives the function that carries a command out; its module is imported no earlier."""

LLM_HELP = "planner: embedded, {openai,anthropic}:MODEL, {hf,vllm}:MODEL_OR_PATH, http://host:port/v1#MODEL"
json_option = click.option("--json", "as_json", is_flag=True, help="one JSON object (or one a line) instead of text")
llm_option = click.option("--llm", metavar="NAME", help=LLM_HELP)
trials_option = click.option("--trials", type=int, help="how many configurations to try")
seconds_option = click.option("--seconds", type=float, help="wall time of the whole study")
study_argument = click.argument("study", required=False)
data_option = click.option("--data", metavar="PATH_OR_ID", help="training data, where the request names none")
yes_option = click.option("--yes", "-y", is_flag=True, help="approve the plan without asking")
approve_option = click.option(
    "--approve", metavar="HASH", help="approve only the plan with this hash (a prefix of 8 or more will do)"
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="tunewright")
def cli() -> None:
    """Describe a fine-tuning job in plain language; get a checked plan, an honest search and the best adapter.

    Start with `tunewright demo`, or `tunewright plan "classify the topics in tickets.csv, 8 trials"`.
    """


def command(*parameters: Parameter, name: str | None = None, group: click.Group = cli) -> Callable[..., click.Command]:
    """A command with these parameters and `--json`, whose expected errors are one message and an exit code."""

    def decorate(function: Callable[..., int | None]) -> click.Command:
        decorated: Callable[..., Any] = json_option(guarded(function))
        for parameter in reversed(parameters):
            decorated = parameter(decorated)
        return group.command(name)(decorated)

    return decorate


def later_command(name: str, work: Work, words: str, *parameters: Parameter, group: click.Group = cli) -> None:
    """The command `name`, with `words` as its help. `work` imports its function, when the command runs.

    The function gets `settings` (with the planner of --llm, if it has one), `as_json`, and each parameter by its name;
    it returns the exit code.
    """

    def carry_out(llm: str | None = None, **values: Any) -> int | None:
        exit_code: int | None = work()(settings=load_settings(llm), **values)
        return exit_code

    carry_out.__doc__ = words
    command(*parameters, name=name, group=group)(carry_out)


def _run() -> Any:
    from agent.faces.cli import run

    return run


def _show() -> Any:
    from agent.faces.cli import show

    return show


def _call() -> Any:
    from agent.faces.cli import call

    return call


def _doctor() -> Any:
    from agent.faces.cli import doctor

    return doctor


def _bench() -> Any:
    from agent.faces.cli import bench

    return bench


REQUEST = (
    click.argument("request", metavar="REQUEST|SPEC.yaml", required=False),
    click.option(
        "--from-study",
        metavar="STUDY",
        help="copy this study's configuration; REQUEST, if any, is an edit of it in words",
    ),
    data_option,
    trials_option,
    seconds_option,
    click.option("--warm-start", metavar="FILE[#STUDY]", help="past Optuna study of the same metric to start from"),
    llm_option,
)
"""What `plan` and `run` take."""


@command(*REQUEST)
def plan(request: str | None, from_study: str | None, llm: str | None, as_json: bool, **flags: Any) -> int:
    """Print what a request would do; change nothing."""
    from agent.desk.planning import job_of
    from agent.faces.cli.run import exit_code, show_plan

    resolved = job_of(request, flags, llm, from_study).plan()
    show_plan(resolved.plan, as_json)
    return exit_code(resolved.plan)


@command(
    *REQUEST,
    yes_option,
    approve_option,
    click.option("--detach", is_flag=True, help="queue the study and return at once; see `wait` and `events --follow`"),
    click.option("--key", help="with --detach: asked again with the same key, it is the same study"),
)
def run(
    request: str | None,
    from_study: str | None,
    llm: str | None,
    yes: bool,
    approve: str | None,
    detach: bool,
    key: str | None,
    as_json: bool,
    **flags: Any,
) -> int:
    """Plan, ask for approval, search, confirm and report. Ctrl-C stops; `resume` goes on."""
    from agent.desk.planning import job_of
    from agent.faces.cli.run import approval_of, run_job

    if key is not None and not detach:
        raise InputError("key", "is for studies that are queued.", "Add --detach.")
    job, approval = job_of(request, flags, llm, from_study), approval_of(yes, approve, as_json)
    return run_job(job, approval, as_json, detach=detach, key=key)


later_command(
    "resume",
    lambda: _run().resume_study,
    "Go on with an interrupted or cancelled study; finished trials are not run again.",
    study_argument,
    click.option("--detach", is_flag=True, help="queue the study and return at once"),
)
later_command(
    "wait",
    lambda: _run().wait_for,
    """Wait for a study to end. Exit code 0 done, 1 failed, 130 stopped before its end.

    A timeout is no error: the exit code is 0, and with --json `over` is false.
    """,
    study_argument,
    click.option("--timeout", type=float, metavar="S", help="seconds to wait at most; default: to the end"),
)
later_command("queue", lambda: _show().show_queue, "The studies that are to be worked off, in order.")
later_command("status", lambda: _show().show_status, "All studies, or where one stands.", study_argument)
later_command(
    "show", lambda: _show().show_study, "A study's trials with their configurations and scores.", study_argument
)
later_command(
    "logs",
    lambda: _show().show_logs,
    "What the worker processes printed.",
    study_argument,
    click.option("--lines", "-n", default=40, show_default=True, help="last lines of each log"),
)
later_command(
    "events",
    lambda: _show().show_events,
    "What happened, in order.",
    study_argument,
    click.option("--after", default=0, show_default=True, help="only events with a higher sequence number"),
    click.option("--follow", "-f", is_flag=True, help="wait for more until the study is over"),
)
later_command(
    "cancel", lambda: _run().cancel_study, "Stop a study and take it off the queue; it can be resumed.", study_argument
)
later_command(
    "pause",
    lambda: _run().pause_study,
    "Stop a study but keep its place in the queue; `resume` goes on.",
    study_argument,
)
later_command("report", lambda: _show().show_report, "The report of a finished study.", study_argument)
later_command(
    "explain",
    lambda: _show().show_explanation,
    "Why a trial has its configuration: proposer, reason, prediction against outcome, LLM call.",
    click.argument("study"),
    click.argument("trial", required=False, type=int),
)
later_command(
    "compare",
    lambda: _show().show_comparison,
    "Trial LEFT (the best where none is named) against trial RIGHT (the default).",
    click.argument("study"),
    click.argument("left", required=False, type=int),
    click.argument("right", required=False, type=int),
)


@command(
    click.argument("adapter", type=click.Path(path_type=Path)),
    click.argument("data"),
    click.option("--metric", help="default: the metric of the adapter's task"),
    click.option("--max-rows", type=int, help="score the first rows only"),
)
def evaluate(adapter: Path, data: str, metric: str | None, max_rows: int | None, as_json: bool) -> None:
    """Score a saved adapter on labelled data."""
    from agent.faces.cli.show import show_card
    from tools.evaluate import evaluate_adapter

    show_card(evaluate_adapter(adapter, data, metric, max_rows, roots=load_settings().roots), as_json)


later_command(
    "export",
    lambda: _run().export_study,
    "Copy a study's adapter out, or merge it into a full model.",
    click.argument("study"),
    click.option("--out", type=click.Path(path_type=Path), help="new directory; default: ./tunewright-STUDY"),
    click.option("--merge", is_flag=True, help="merge the adapter into the base model"),
)


@command(
    click.argument("adapter", type=click.Path(path_type=Path)),
    click.argument("prompt"),
    click.option("--max-new-tokens", default=128, show_default=True),
)
def generate(adapter: Path, prompt: str, max_new_tokens: int, as_json: bool) -> None:
    """Ask a saved adapter: generated text, or class probabilities."""
    from tools.generate import generate as ask

    answer = ask(adapter, prompt, max_new_tokens)
    click.echo(answer.model_dump_json() if as_json else answer.shown())


later_command("doctor", lambda: _doctor().doctor, "What this machine can do, and what is missing.")


@command(trials_option)
def demo(trials: int | None, as_json: bool) -> int:
    """The main job on this machine's own documentation: no data, no GPU, no network needed."""
    from agent.desk.planning import Approval, job_of
    from agent.faces.cli.run import run_job

    return run_job(job_of(DEMO_REQUEST, {"trials": trials}, "embedded"), Approval(yes=True), as_json)


DEMO_REQUEST = "Classify stdlib:docstrings@1000 by topic with LoRA on MiniLM, best macro-F1, 8 trials, 2 epochs"


@command(
    click.option("--host", default="127.0.0.1", show_default=True, help="address to listen on"),
    click.option("--port", default=8321, show_default=True, help="0 takes a free one"),
    click.option(
        "--allowed-host", "allowed_hosts", multiple=True, metavar="NAME[:PORT]", help="name it is called by, too"
    ),
    click.option("--new-token", is_flag=True, help="let nobody in who has the old one"),
    click.option("--show-token", is_flag=True, help="print the token"),
    click.option("--link", is_flag=True, help="print another login link of the running server, and end"),
    click.option("--max-upload-mb", default=512, show_default=True, help="largest file that may be uploaded"),
    llm_option,
)
def serve(link: bool, llm: str | None, as_json: bool, **serving: Any) -> None:
    """Serve the web page, the job API and the chat on this machine. Studies go on when it stops."""
    from agent.faces.http.serve import Serving, print_link
    from agent.faces.http.serve import serve as serve_until_stopped

    if link:
        print_link(load_settings(llm), as_json)
    else:
        serve_until_stopped(load_settings(llm), Serving.model_validate(serving), as_json)


@cli.command()
@click.option("--http", "over_http", is_flag=True, help="serve streamable HTTP instead of stdin and stdout")
@click.option("--host", default="127.0.0.1", show_default=True, help="address to listen on")
@click.option("--port", default=8322, show_default=True, help="0 takes a free one")
@click.option("--allowed-host", "allowed_hosts", multiple=True, metavar="NAME[:PORT]", help="name it is called by, too")
@click.option("--new-token", is_flag=True, help="let nobody in who has the old one")
@llm_option
@guarded
def mcp(over_http: bool, llm: str | None, **serving: Any) -> None:
    """The MCP server, for Claude Code, Cursor, Codex and other agents that call tools."""
    from agent.faces.mcp.over_stdio import serve_stdio, settings_away_from_root

    settings = settings_away_from_root(llm)
    if not over_http:
        serve_stdio(settings)
        return
    from agent.faces.http.serve import Serving
    from agent.faces.mcp.over_http import serve_http

    serve_http(settings, Serving.model_validate(serving))


@command(
    click.argument("request", metavar="REQUEST|SPEC.yaml"),
    data_option,
    trials_option,
    seconds_option,
    llm_option,
    yes_option,
    approve_option,
    click.option("--wait", is_flag=True, help="print what happens until the study is over; Ctrl-C leaves it running"),
)
def submit(
    request: str, llm: str | None, yes: bool, approve: str | None, wait: bool, as_json: bool, **flags: Any
) -> int:
    """`run --detach` under the name that job queues use; with --wait it follows the study and leaves it running."""
    from agent.desk.planning import job_of
    from agent.faces.cli.run import approval_of, run_job

    job, approval = job_of(request, flags, llm), approval_of(yes, approve, as_json)
    return run_job(job, approval, as_json, detach=True, wait=wait)


later_command(
    "call",
    lambda: _call().call_or_list,
    "Any verb by its name, as chat, MCP, HTTP and Python call it; without a name, the list of them.",
    click.argument("name", required=False),
    click.argument("fields", nargs=-1, metavar="[FIELD=VALUE]..."),
)


@command(
    click.argument("text", required=False),
    click.option(
        "--resume", metavar="[ID]", is_flag=False, flag_value="latest", help="go on with a conversation, the latest"
    ),
    click.option("--list", "listed", is_flag=True, help="list earlier conversations"),
    click.option("--yes", "-y", is_flag=True, help="with TEXT or a pipe: approve plans without asking"),
    llm_option,
)
def chat(text: str | None, resume: str | None, listed: bool, yes: bool, llm: str | None, as_json: bool) -> int:
    """Talk about studies: plan, change, approve, watch, ask why. With TEXT: one reply, for scripts.

    Exit code 3: something waits for a yes or an answer. --json prints what happens, one object a line.
    """
    from agent.faces.terminal.terminal import ChatOptions
    from agent.faces.terminal.terminal import chat as talk

    options = ChatOptions(text=text, resume=resume, listed=listed, yes=yes, as_json=as_json)
    return talk(options, llm, load_settings())


@command(
    click.option("--install", "directory", metavar="DIR", type=click.Path(path_type=Path), help="copy it there instead")
)
def skill(directory: Path | None, as_json: bool) -> None:
    """Print how a coding agent uses tunewright (SKILL.md).

    With --install it becomes DIR/tunewright/SKILL.md, where DIR is the skills directory of the coding agent.
    """
    from agent.faces.cli.skill import show_skill

    show_skill(directory, as_json)


@cli.group()
def bench() -> None:
    """The benchmarks of evals/."""


later_command(
    "requests",
    lambda: _bench().score_reader,
    "Score the request reader on labelled requests.",
    click.option("--part", type=click.Choice(["develop", "test"]), default="test", show_default=True),
    click.option("--file", "path", type=click.Path(exists=True, path_type=Path), help="labelled requests of your own"),
    llm_option,
    group=bench,
)


later_command(
    "search",
    lambda: _bench().compare_searches,
    "Compare search methods on tables of real runs and on made-up functions.",
    click.option("--methods", metavar="A,B,...", help="such as random,tpe,gp,hybrid; with --llm also hybrid+llm,llm"),
    click.option("--tables", multiple=True, type=click.Path(path_type=Path), help="directory of tables"),
    click.option("--suite", metavar="A,B,...", help="of tables, hpobench, hpolib, nasbench201, synthetic"),
    click.option("--only", multiple=True, metavar="GLOB", help="problems whose names match"),
    click.option("--trials", type=int, default=25, show_default=True, help="trials a run, the start included"),
    click.option("--seeds", type=int, default=8, show_default=True, help="runs a method and problem"),
    click.option(
        "--start", type=int, default=1, show_default=True, help="common first trials: the default, then random"
    ),
    click.option("--jobs", type=int, default=1, show_default=True, help="processes"),
    click.option("--renamed", is_flag=True, help="also the same problems with their names taken away"),
    click.option("--out", type=click.Path(path_type=Path), help="keep runs, results and plots here; go on from there"),
    llm_option,
    group=bench,
)


def main() -> None:
    """Entry point of the `tunewright` command."""
    import warnings

    import tools

    warnings.simplefilter("ignore", FutureWarning)  # of libraries about each other; nothing a user could do
    ours = Path(__file__).resolve().parents[3]
    if Path(str(tools.__file__)).resolve().parent.parent != ours:
        click.echo(
            f"another package owns the name `tools`: {tools.__file__}. Install tunewright in a fresh venv.", err=True
        )
        sys.exit(1)
    if "--json" in sys.argv[1:]:
        for_programs()
    else:
        cli()


def for_programs() -> None:
    """The command line for programs: a wrong option or argument is told as JSON as well."""
    try:
        code = cli.main(standalone_mode=False)
    except click.UsageError as error:
        name = getattr(getattr(error, "param", None), "name", None) or getattr(error, "option_name", None)
        hint = f"See `{error.ctx.command_path} --help`." if error.ctx else "See `tunewright --help`."
        print_error(InputError(str(name or "arguments"), error.format_message(), hint, code="usage"), as_json=True)
        code = error.exit_code
    sys.exit(code if isinstance(code, int) else 0)
