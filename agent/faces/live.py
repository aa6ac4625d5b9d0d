"""Watching a study: a live display in a terminal, plain lines in a pipe, one JSON object a line for programs."""

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from agent.desk.event_words import event_sentence, trial_number
from agent.report.wording import number
from agent.request.markup import duration, scalar
from agent.study.nouns import EventKind, Phase, Study, StudyEvent
from trainers.spec import Config

SHOWN_TRIALS = 8
"""Rows of the live table; older ones scroll out of it (all are in `tunewright show`)."""


class JsonLines:
    """Every event as one JSON object a line on standard output."""

    def on_event(self, event: StudyEvent) -> None:
        """Write the event."""
        click.echo(event.model_dump_json())


@dataclass
class Row:
    """One trial as the display knows it."""

    number: int
    phase: str
    source: str
    config: Config
    state: str = "waiting"
    score: float | None = None
    note: str = ""
    step: int = 0
    total: int = 0
    loss: float | None = None


class LiveView:
    """Rows of trials, best against default, budget and expected end; redrawn in a terminal, appended elsewhere."""

    def __init__(self, study: Study, console: Console, earlier_seconds: float = 0.0) -> None:
        """`earlier_seconds`: wall time that the study has had in other processes before."""
        self._study, self._console = study, console
        self._rows: dict[str, Row] = {}
        self._started = time.monotonic() - earlier_seconds
        self._stage = "starting"
        self._failures = 0
        self._free = study.plan.space.free if study.plan.space else ()
        self._live = (
            Live(console=console, refresh_per_second=4, get_renderable=self._draw) if console.is_terminal else None
        )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def restore(self, events: list[StudyEvent]) -> None:
        """Take in what happened before this process, without printing it again."""
        live, self._live = self._live, None
        quiet, self._console = self._console, Console(quiet=True)
        for event in events:
            self.on_event(event)
        self._live, self._console = live, quiet

    def on_event(self, event: StudyEvent) -> None:
        """Take in one event; print a line of it where nothing is redrawn."""
        line = self._take(event)
        if line and not self._live:
            self._console.print(line, highlight=False, soft_wrap=True, markup=False)

    def _take(self, event: StudyEvent) -> str | None:
        data, row = event.data, self._rows.get(event.trial_id or "")
        if event.kind is EventKind.TRIAL_PROPOSED and event.trial_id:
            phase = data.get("phase", "search")
            self._rows[event.trial_id] = Row(trial_number(event) or 0, phase, data["source"], data["config"])
        elif event.kind is EventKind.STATE_CHANGED:
            self._stage = _STAGES.get(data["state"], data["state"].lower())
            return f"{self._stage} …" if data["state"] in _STAGES else None
        elif row:
            _follow(row, event)
        if event.kind is EventKind.TRIAL_COMPLETE and row:
            score = f"{self._metric} {number(row.score)}  {data['seconds']:5.1f} s"
            return f"  trial {row.number:>2}  {score}  {row.source:<10} {self._values(row)}"
        if event.kind in _PRINTED and data.get("kind") != "votes":
            return f"  {event_sentence(event)}  {self._values(row) if row else ''}".rstrip()
        return None

    @property
    def _metric(self) -> str:
        return self._study.spec.objective.metric

    def _values(self, row: Row) -> str:
        return short_config(row.config, self._free)

    def _draw(self) -> RenderableType:
        table = Table(box=None, pad_edge=False, expand=False)
        table.add_column("#", justify="right")
        table.add_column("from", style="dim", no_wrap=True)
        table.add_column("configuration")
        table.add_column(self._metric, justify="right", no_wrap=True)
        best = self._best()
        for row in list(self._rows.values())[-SHOWN_TRIALS:]:
            table.add_row(
                str(row.number),
                row.source if row.phase == Phase.SEARCH else "confirm",
                self._values(row),
                _outcome(row, row is best),
            )
        return Group(self._headline(best), table, self._budget_line())

    def _best(self) -> Row | None:
        sign = self._study.spec.objective.direction.sign
        scored = [r for r in self._rows.values() if r.score is not None and r.phase == Phase.SEARCH]
        return max(scored, key=lambda r: sign * (r.score or 0.0), default=None)

    def _headline(self, best: Row | None) -> RenderableType:
        default = next((r for r in self._rows.values() if r.number == 0), None)
        text = Text.assemble((f"study {self._study.study_id}", "bold"), f"  {self._stage}")
        if best and best.score is not None:
            text.append(f"   best {number(best.score)}", style="green")
        if default and default.score is not None:
            text.append(f"   default {number(default.score)}", style="dim")
        return text

    def _budget_line(self) -> RenderableType:
        budget, search = self._study.spec.budget, [r for r in self._rows.values() if r.phase == Phase.SEARCH]
        over = sum(r.state in ("done", "failed", "pruned") for r in search)
        elapsed = time.monotonic() - self._started
        line = Table.grid(padding=(0, 1))
        limit = f" of {duration(budget.seconds)}" if budget.seconds else ""
        expected = self._study.plan.estimate.seconds_p50
        left = f"  about {duration(max(0.0, expected - elapsed))} left" if expected and elapsed < expected else ""
        line.add_row(
            ProgressBar(total=budget.trials, completed=over, width=20),
            f"{over}/{budget.trials} trials",
            f"{duration(elapsed)}{limit}{left}",
        )
        return line


def _follow(row: Row, event: StudyEvent) -> None:
    """Take what an event says about a trial into its row."""
    data = event.data
    if event.kind is EventKind.ATTEMPT_STARTED:
        row.state = "running"
    elif event.kind is EventKind.PROGRESS:
        row.step, row.total = data["step"], data["total_steps"]
        row.loss = data.get("loss") if data.get("loss") is not None else row.loss
    elif event.kind is EventKind.TRIAL_COMPLETE:
        row.state, row.score = "done", float(data["score"])
    elif event.kind is EventKind.TRIAL_PRUNED:
        row.state, row.note = "pruned", f"stopped at {data['share']:.0%}"
    elif event.kind is EventKind.TRIAL_FAILED:
        row.state, row.note = "failed", str(data["reason"])


_PRINTED = (
    EventKind.TRIAL_PRUNED,
    EventKind.TRIAL_FAILED,
    EventKind.TRIAL_RETRIED,
    EventKind.SEARCH_STOPPED,
    EventKind.DEVIATION,
    EventKind.CANDIDATE_DROPPED,
    EventKind.PLANNER,
    EventKind.WATCHER,
    EventKind.CHOSEN,
)
"""Printed where nothing is redrawn, beside scores and stages."""

_STAGES = {"SEARCHING": "searching", "CONFIRMING": "confirming on fresh seeds", "REPORTING": "opening the test split"}
_SHORT = {
    "learning_rate": "lr",
    "lora_rank": "r",
    "batch_size": "bs",
    "target_modules": "on",
    "head_lr_ratio": "head",
    "warmup_ratio": "warmup",
    "weight_decay": "wd",
    "lora_dropout": "drop",
    "lora_alpha": "alpha",
    "scheduler": "lr-shape",
}


def short_config(config: Config, free: tuple[str, ...]) -> str:
    """The searched hyperparameters of a configuration in few characters: "lr=0.0005 r=8 bs=32"."""
    return " ".join(f"{_SHORT.get(name, name)}={scalar(config[name])}" for name in free if name in config)


def _outcome(row: Row, best: bool) -> Text:
    if row.score is not None:
        return Text(number(row.score), style="bold green" if best else "")
    if row.state in ("failed", "pruned"):
        return Text(row.note, style="red" if row.state == "failed" else "dim")
    if row.total:
        loss = f" loss {row.loss:.3f}" if row.loss is not None else ""
        return Text(f"{row.step / row.total:4.0%}{loss}", style="cyan")
    return Text(row.state, style="dim")
