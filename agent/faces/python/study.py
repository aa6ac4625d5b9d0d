"""A study as seen from Python: where it stands, what it tried, what came of it; and what can be done with its model."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from inspect import isawaitable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.desk.cards import BudgetCard, Comparison, Explanation, Scored, StudyCard, TrialCard
from agent.desk.desk import MAX_EVENTS, POLL_SECONDS, Desk
from agent.errors import InputError
from agent.faces.live import LiveView
from agent.faces.python.frames import data_name, trials_frame
from agent.faces.python.notebook import card_html
from agent.report.build import trial_row
from agent.report.model import Report, Result
from agent.report.wording import number
from agent.study.nouns import Phase, StudyEvent
from tools.evaluate import Evaluation
from tools.export import Exported
from tools.generate import Answer, answer
from trainers.saved import Saved, load_saved

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


OnEvent = Callable[[StudyEvent], Any]
"""Gets every event in order. An error it raises ends the waiting, not the study."""


class StudyHandle:
    """One study. It runs in a process of its own: nothing here has to stay open for it to go on.

    Everything is read anew at each call; numbers never come from this object's memory.
    """

    def __init__(self, desk: Desk, study_id: str) -> None:
        """Use `Tunewright.study`, `start` or `run`."""
        self._desk, self.id = desk, study_id
        self._saved: Saved | None = None

    def __repr__(self) -> str:
        card = self.status()
        best = f", best {card.metric} {number(card.best.score)}" if card.best else ""
        return f"<study {self.id}: {card.state_words}, {card.trials_over} of {card.trials_limit} trials{best}>"

    def _repr_html_(self) -> str:
        return card_html(self.status())

    def status(self) -> StudyCard:
        """Where it stands, in one object."""
        return self._desk.status(self.id)

    @property
    def over(self) -> bool:
        """Whether nothing more happens unless somebody asks for it: done, failed, cancelled or paused."""
        return self.status().over

    @property
    def best(self) -> Scored | None:
        """The best configuration of the search so far, with its validation score; None before the first score."""
        return self.status().best

    @property
    def result(self) -> Result | None:
        """What it found on test rows nobody had seen; None until it is done."""
        return self.status().result

    def report(self) -> Report:
        """The whole report. Raises InputError (code "not_done") before the study is done."""
        return self._desk.report(self.id)

    @property
    def report_html(self) -> Path:
        """The report as a page that opens without a network. Raises InputError before the study is done."""
        return Path(self._desk.report_card(self.id).directory) / "report.html"

    @property
    def adapter(self) -> Path:
        """The directory of the adapter that is handed back. Raises InputError before the study is done."""
        return self._desk.adapter_of(self.id)

    def trials(self) -> list[TrialCard]:
        """Its trials, by number; those of the confirm phase included."""
        return self._desk.trials(self.id)

    def trials_dataframe(self) -> "DataFrame":
        """One row a trial: number, phase, state, source, score, seconds, params_*, prediction, reason, seed."""
        return trials_frame(self.trials())

    def explain(self, trial: int | None = None) -> Explanation:
        """Why a trial has its configuration, and how it turned out; the best trial where none is named."""
        return self._desk.explain(self.id, trial)

    def compare(self, left: int | None = None, right: int | None = None) -> Comparison:
        """Trial `left` (default: the best) against trial `right` (default: the default configuration)."""
        return self._desk.compare(self.id, left, right)

    def budget(self) -> BudgetCard:
        """What it may spend and has spent."""
        return self._desk.budget(self.id)

    def plot(self) -> "Figure":
        """Scores by trial, best so far and the default's level. Raises InputError before the first score."""
        from agent.report.plot_search import history_figure
        from agent.report.style import style

        objective = self._desk.study(self.id).spec.objective
        rows = [trial_row(trial) for trial in self._desk.store.trials(self.id, Phase.SEARCH)]
        with style():
            figure = history_figure(rows, objective.metric, objective.direction)
        if figure is None:
            raise InputError("study", f"study {self.id} has no scored trial yet.", "Wait for one.", code="not_done")
        return figure

    def events(self, after: int = 0) -> list[StudyEvent]:
        """What has happened after the event numbered `after`."""
        return self._desk.store.events(self.id, after)

    def stream(self, after: int = 0, timeout: float | None = None) -> Iterator[StudyEvent]:
        """Events as they come, until it is over or `timeout` seconds have passed."""
        return self._desk.stream(self.id, after, timeout)

    async def aevents(self, after: int = 0, timeout: float | None = None) -> AsyncIterator[StudyEvent]:
        """`stream` for asyncio."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            page = await asyncio.to_thread(self._desk.events, self.id, after, MAX_EVENTS)
            for event in page.events:
                yield event
            after = page.after
            left = POLL_SECONDS if until is None else until - time.monotonic()
            if (page.over and not page.more) or left <= 0:
                return
            if not page.events:
                await asyncio.to_thread(lambda: self._desk.keep_going(self.status()))
                await asyncio.sleep(min(left, POLL_SECONDS))

    def wait(
        self,
        timeout: float | None = None,
        *,
        on_event: OnEvent | None = None,
        progress: bool = False,
        after: int | None = None,
    ) -> StudyCard:
        """Wait until it is over, at most `timeout` seconds; where it stands then (`over` says whether it ended).

        `on_event` gets the events after the one numbered `after` (None: from now on); `progress` prints them. Ctrl-C
        stops the waiting and not the study.
        """
        try:
            with ExitStack() as stack:
                first = self.status().last_event if after is None else after
                listeners = [on_event] if on_event is not None else []
                if progress:
                    listeners.insert(0, stack.enter_context(self._view(first)).on_event)
                for event in self.stream(first, timeout):
                    for listener in listeners:
                        listener(event)
        except KeyboardInterrupt:
            again = f"Tunewright({str(self._desk.settings.home)!r}).study({self.id!r})"
            print(f"Not waiting any more. Study {self.id} goes on; find it again with {again}.", file=sys.stderr)
            raise
        return self.status()

    async def await_end(
        self, timeout: float | None = None, *, on_event: OnEvent | None = None, after: int | None = None
    ) -> StudyCard:
        """`wait` for asyncio; `on_event` may be a coroutine function."""
        first = self.status().last_event if after is None else after
        async for event in self.aevents(first, timeout):
            reply = on_event(event) if on_event is not None else None
            if isawaitable(reply):
                await reply
        return await asyncio.to_thread(self.status)

    def _view(self, after: int) -> AbstractContextManager[LiveView]:
        """The display of `tunewright run`; plain lines where the output is no terminal, as in a notebook."""
        from rich.console import Console

        plain = Console(width=100, color_system=None, force_terminal=False, force_jupyter=False)
        study = self._desk.study(self.id)
        used = self._desk.store.balance(self.id, "wall_seconds")
        view = LiveView(study, Console() if sys.stdout.isatty() else plain, used)
        view.restore([event for event in self.events() if event.seq <= after])
        return view

    def cancel(self) -> StudyCard:
        """Stop it and take it off the queue; what is finished stays, and `resume` goes on."""
        return self._desk.cancel(self.id)

    def pause(self) -> StudyCard:
        """Stop it but keep its place in the queue until `resume`."""
        return self._desk.pause(self.id)

    def resume(self) -> StudyCard:
        """Queue it again; finished trials are not run again. Returns at once."""
        return self._desk.resume(self.id)

    def generate(self, prompt: str, max_new_tokens: int = 128) -> Answer:
        """What its model says: text, or a class with the probabilities of all.

        The model is loaded into this process once (some seconds) and stays with this object.
        """
        return answer(self._model(), prompt, max_new_tokens)

    def predict(self, texts: Sequence[str], max_new_tokens: int = 128) -> list[str]:
        """The most probable class of each text, or the text that the model writes after it."""
        return [self.generate(text, max_new_tokens).text for text in _several(texts)]

    def predict_proba(self, texts: Sequence[str]) -> "DataFrame":
        """The probability of every class, one row a text. Raises InputError for a model that is no classifier."""
        import pandas as pd

        labels = list(self._model().facts.labels)
        if not labels:
            raise InputError("study", f"study {self.id} has no classes; its model writes text.", "Use predict.")
        return pd.DataFrame([self.generate(text).probabilities for text in _several(texts)], columns=labels)

    def evaluate(self, data: Any, metric: str | None = None, max_rows: int | None = None) -> Evaluation:
        """Score its model on labelled data (path, id, data frame or list of dicts), in a process of its own."""
        return self._desk.evaluate(self.id, data_name(data, self._desk.settings.home), metric, max_rows)

    def export(self, out: str | Path | None = None, merge: bool = False) -> Exported:
        """Copy its adapter to a new directory, or merge it into the base model there."""
        return self._desk.export(self.id, None if out is None else Path(out), merge)

    def _model(self) -> Saved:
        if self._saved is None:
            self._saved = load_saved(self.adapter)
        return self._saved


def _several(texts: Sequence[str]) -> Sequence[str]:
    """A single text is not taken for a list of letters."""
    if isinstance(texts, str):
        raise InputError("texts", "must be a list of texts, got one text.", "Write [text], or use generate.")
    return texts
