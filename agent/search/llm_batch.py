"""The planner LLM as a source of candidates: one call gives a batch of configurations, used over a few trials.

Prompt: a prefix that never changes (role, job as enums and numbers, hyperparameters), the trials as rows that are only
ever appended, and a short request; about 1,500 tokens and 20 more a trial. No text or name of the user's data is in it.
Whatever comes back is checked against the space; nothing else is done with it.
"""

from agent.errors import PlannerFailed
from agent.llm_call import LlmCapReached, LlmEvent
from agent.planner import Planner
from agent.search.fresh import known_keys
from agent.search.llm_grid import Grid, fixed_card
from agent.search.task_card import TaskCard
from agent.study import History, Proposal, Trial, TrialState
from prompts import Rendered, render
from prompts.history import Row, history_text, number_text
from trainers.space import Space
from trainers.spec import Closed, Config, Direction, Scalar

N_LOW, N_HIGH = 8, 12
REUSED_FOR_TRIALS = 4
"""A batch serves until this many more trials are over; then the model sees them and is asked again."""

MAX_WHY_CHARACTERS = 240


class CandidateBatch(Closed):
    """What the planner LLM answers; each candidate holds "why" and one value per hyperparameter."""

    candidates: tuple[dict[str, Scalar | None], ...]


class LlmBatch:
    """Proposes what the planner LLM proposed. Offers nothing while it is out of reach, capped, or gave nothing usable;
    each of these is an event of the planner, and the next source serves the trial.

    The batch in use is kept in memory only: after a restart the model is asked anew.
    """

    name = "llm"

    def __init__(self, space: Space, card: TaskCard, planner: Planner) -> None:
        self._space, self._card, self._planner = space, card, planner
        self._grid = Grid(space)
        self._batch: list[Proposal] = []
        self._asked_after: int | None = None
        self._off = not self._grid.names

    def propose(self, history: History, n: int, seed: int) -> list[Proposal]:
        """See `Proposer.propose`. Asks the model where the batch is old or used up. `seed` is not used: what a model
        answers is not in our hands."""
        over = sum(t.state not in (TrialState.WAITING, TrialState.RUNNING) for t in history.trials)
        stale = self._asked_after is None or over - self._asked_after >= REUSED_FOR_TRIALS
        if stale and not self._off:
            self._asked_after = over
            self._batch = self._asked(history)
        taken = known_keys(self._space, history)
        return [p for p in self._batch if self._space.key(p.config) not in taken][:n]

    def _asked(self, history: History) -> list[Proposal]:
        system, user = self._prompts(history)
        try:
            reply = self._planner.ask(system, user, CandidateBatch, self._grid.schema(N_HIGH))
        except LlmCapReached:
            self._off = True  # the planner has said so
            return []
        except PlannerFailed as error:
            message = f"No candidates from the planner LLM, the optimiser goes on alone: {error}"
            self._planner.note(LlmEvent(kind="batch_failed", message=message))
            return []
        return self._checked(reply, history)

    def _prompts(self, history: History) -> tuple[Rendered, Rendered]:
        card = [
            (name, number_text(value))
            for name, value in self._card.model_dump(mode="json", exclude_none=True).items()
            if name not in ("trials", "parallel_trials")
        ]
        system = render(
            "propose_system",
            card=card + [(f"{name} (fixed)", value) for name, value in fixed_card(self._space)],
            hyperparameters=self._grid.cards(),
            n_low=N_LOW,
            n_high=N_HIGH,
        )
        best, maximize = history.best, history.direction is Direction.MAXIMIZE
        # running trials come after the finished ones: a row, once written, stays as it is
        finished = [_row(t) for t in history.trials if t not in history.pending]
        pending = [_row(t) for t in history.pending]
        user = render(
            "propose_user",
            history=history_text(self._grid.names, finished, maximize),
            pending=history_text(self._grid.names, pending, maximize) if pending else "",
            maximize=maximize,
            best="none" if best is None else f"trial {best.number} with {best.score:.5g}",
            n_failed=len(history.failed),
            trials_left=None if self._card.trials is None else max(0, self._card.trials - len(history.trials)),
        )
        return system, user

    def _checked(self, reply: CandidateBatch, history: History) -> list[Proposal]:
        """The usable, new candidates; repeats count as votes, unusable ones as rejected, both reported."""
        taken = known_keys(self._space, history)
        batch: list[Proposal] = []
        problems: list[str] = []
        votes = 0
        for candidate in reply.candidates[: 2 * N_HIGH]:
            try:
                config = self._grid.config({k: v for k, v in candidate.items() if k != "why"})
            except ValueError as error:
                problems.append(str(error)[:200])
                continue
            if (key := self._space.key(config)) in taken:
                votes += 1
                continue
            taken.add(key)
            batch.append(self._proposal(config, candidate.get("why")))
        self._report(len(batch), problems, votes)
        return batch

    def _proposal(self, config: Config, why: Scalar | None) -> Proposal:
        call_id = self._planner.last_call_id
        return Proposal(config=config, source=self.name, why=_line(str(why or "")), llm_call_id=call_id)

    def _report(self, n_usable: int, problems: list[str], votes: int) -> None:
        if votes:
            message = f"The planner LLM repeated {votes} known configurations; they are not run again."
            self._planner.note(LlmEvent(kind="votes", message=message, count=votes))
        if problems:
            message = f"{len(problems)} candidates of the planner LLM cannot be used, the first: {problems[0]}."
            self._planner.note(LlmEvent(kind="rejected", message=message, count=len(problems)))
        if not n_usable:
            message = "The planner LLM's batch held nothing usable; the optimiser goes on alone."
            self._planner.note(LlmEvent(kind="batch_failed", message=message))


def _row(trial: Trial) -> Row:
    if trial.state is TrialState.FAILED:
        status = str(trial.reason) if trial.reason else "FAILED"
    else:
        status = {TrialState.COMPLETE: "OK", TrialState.PRUNED: "PRUNED"}.get(trial.state, "RUN")
    score = trial.score if trial.state is TrialState.COMPLETE else None
    return Row(trial.number, trial.config, score, status, trial.proposal.source)


def _line(text: str) -> str:
    """A model's prose, safe to print: one line, no control characters, bounded."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:MAX_WHY_CHARACTERS]
