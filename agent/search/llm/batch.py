"""The planner LLM as a source of candidates and beliefs: one call serves three or four trials, in the background.

Prompt: a prefix that never changes (role, job as enums and numbers, hyperparameters), the trials as rows that are only
ever appended, and a short request with the optimiser's digest; about 1,500 tokens and 20 more a trial. No text or name
of the user's data is in it. Whatever comes back is checked against the space; nothing else is done with it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.errors import PlannerFailed
from agent.llm.background import Asking
from agent.llm.calls import LlmCapReached, LlmEvent
from agent.llm.planner import Planner
from agent.llm.reply_json import extract_json
from agent.search.fresh import known_keys
from agent.search.llm.beliefs import Belief, Beliefs
from agent.search.llm.digest import digest_lines
from agent.search.llm.grid import Grid, fixed_card
from agent.search.llm.task_card import TaskCard
from agent.search.llm.text import safe_line, trial_row
from agent.search.space_edits import SpaceEdit
from agent.study.nouns import History, Proposal
from prompts import Rendered, render
from prompts.history import history_text
from tools.estimate import llm_token_limit
from trainers.space import Space
from trainers.spec import Closed, Config, Direction, Scalar

N_LOW, N_HIGH = 8, 12
REUSED_FOR_TRIALS = 4
"""A batch serves until this many more trials are over; then the model sees them and is asked again."""

MAX_REPLY_TOKENS = 4096
"""Twelve candidates of ten hyperparameters take about 1,800; the rest is for a model that thinks first."""

MAX_BELIEFS = 8
DEFAULT_TRIALS = 25
PROMPTS = ("propose_system", "propose_user")


class CandidateBatch(Closed):
    """What the planner LLM answers: a belief per hyperparameter, candidates, each with "why" and its values, and
    perhaps bounds to move."""

    priors: dict[str, dict[str, Scalar | None]] = {}
    candidates: tuple[dict[str, Scalar | None], ...]
    edits: tuple[dict[str, Scalar | None], ...] | None = None


class LlmBatch:
    """Proposes what the planner LLM proposed. Offers nothing while it is out of reach, capped, or gave nothing usable;
    each of these is an event of the planner, and the next source serves the trial.

    With `background` only the first call is waited for; later ones run while trials do, and the present batch serves
    meanwhile. Call `prefetch` when trials have been started, so that even the first is not waited for, and `close` at
    the end. `past` are the study's stored calls (`Store.llm_calls`): after a restart the last batch is read from them
    again, so a resumed study goes on with the candidates it had; a call that was under way is not repeated, its
    reservation counts as spent.

    Calls are spread over the trials: where the tokens left do not pay for one every `REUSED_FOR_TRIALS` trials, they
    become rarer. A planner without a token cap gets one of 1,000 a trial (`tools.estimate.llm_token_limit`).
    """

    name = "llm"

    def __init__(
        self,
        space: Space,
        card: TaskCard,
        planner: Planner,
        *,
        background: bool = False,
        past: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self._space, self._card, self._planner, self._background = space, card, planner, background
        planner.ledger.limit_tokens(llm_token_limit(card.trials or DEFAULT_TRIALS))
        self._grid = Grid(space)
        self._past = [row for row in past if row["prompt_name"] == "+".join(PROMPTS) and not row["error"]]
        self._batch: list[Proposal] = []
        self._beliefs: list[Beliefs] = []
        self._edits: list[SpaceEdit] = []
        self._order: list[int] = []
        self._asked_after: int | None = None
        self._call_tokens = 0
        self._asking: tuple[Asking[CandidateBatch], int, int] | None = None
        self._waited = False
        self._off = not self._grid.names
        self.hints: Sequence[Config] = ()
        """What the optimiser would try next, best first; the next call is told of the first three."""

    @property
    def beliefs(self) -> tuple[Beliefs, ...]:
        """What the model said of the hyperparameters, newest last, at most `MAX_BELIEFS`; one at most per call."""
        return tuple(self._beliefs)

    def space_edits(self) -> Sequence[SpaceEdit]:
        """Bounds that the model asked to move since the last call, each once; never those of an earlier process."""
        edits, self._edits = self._edits, []
        return tuple(edits)

    def propose(self, history: History, n: int, seed: int) -> list[Proposal]:
        """See `Proposer.propose`. `seed` is not used: what a model answers is not in our hands."""
        self.prefetch(history)
        if self._asking is not None and not self._waited:
            self._collect(history)
        keys = known_keys(self._space, history)
        return [p for p in self._batch if self._space.key(p.config) not in keys][:n]

    def prefetch(self, history: History) -> None:
        """Take up a reply that has come, and ask anew where the batch is old. Returns at once with `background`."""
        self._restore(history)
        if self._asking is not None and self._asking[0].done:
            self._collect(history)
        over = _over(history)
        stale = self._asked_after is None or over - self._asked_after >= self._interval(over)
        if stale and not self._off and self._asking is None:
            self._asked_after = over
            if self._affordable():
                self._ask(history, over)

    def close(self) -> None:
        """Stop a call that is under way; what it cost is recorded. Call it while the store is still open."""
        if self._asking is not None:
            asking, self._asking = self._asking[0], None
            asking.stop()
        self._off = True

    def _interval(self, over: int) -> int:
        """Trials that a batch must serve, so that the tokens left last to the end of the study."""
        tokens_left = self._planner.ledger.tokens_left
        if tokens_left is None or not self._call_tokens:
            return REUSED_FOR_TRIALS
        trials_left = max(0, (self._card.trials or DEFAULT_TRIALS) - over)
        calls = max(tokens_left // self._call_tokens, 1)
        return max(REUSED_FOR_TRIALS, -(-trials_left // calls))

    def _affordable(self) -> bool:
        """Whether the tokens left pay for a whole batch: half a reply would be wasted. If not, the source is off."""
        tokens_left = self._planner.ledger.tokens_left
        if tokens_left is None or tokens_left >= self._call_tokens:
            return True
        self._off = True
        message = (
            f"{tokens_left} tokens are left and a batch takes about {self._call_tokens}; the optimiser goes on alone."
        )
        self._planner.note(LlmEvent(kind="cap_reached", message=message))
        return False

    def _ask(self, history: History, over: int) -> None:
        system, user = self._prompts(history)
        before, schema = self._planner.ledger.tokens_used, self._grid.schema(N_HIGH, priors=True)
        try:
            if self._background:
                asking = self._planner.start(system, user, CandidateBatch, schema, MAX_REPLY_TOKENS)
                self._asking = (asking, over, before)
                return
            reply = self._planner.ask(system, user, CandidateBatch, schema, MAX_REPLY_TOKENS)
        except PlannerFailed as error:
            self._failed(error)
        else:
            self._take(reply, history, over)
        self._call_tokens = self._planner.ledger.tokens_used - before or self._call_tokens

    def _collect(self, history: History) -> None:
        assert self._asking is not None
        asking, over, before = self._asking
        try:  # Ctrl-C while this waits leaves the call to `close`
            reply = asking.result()
        except PlannerFailed as error:
            self._failed(error)
        else:
            self._take(reply, history, over)
        self._asking, self._waited = None, True
        self._call_tokens = self._planner.ledger.tokens_used - before or self._call_tokens

    def _failed(self, error: PlannerFailed) -> None:
        self._batch = []
        if isinstance(error, LlmCapReached):
            self._off = True  # the planner has said so
            return
        message = f"No candidates from the planner LLM, the optimiser goes on alone: {error}"
        self._planner.note(LlmEvent(kind="batch_failed", message=message))

    def _prompts(self, history: History) -> tuple[Rendered, Rendered]:
        system = render(
            "propose_system",
            card=self._card.lines() + fixed_card(self._space),
            hyperparameters=self._grid.cards(),
            n_low=N_LOW,
            n_high=N_HIGH,
            bounds=bool(self._grid.bounded),
        )
        best, maximize = history.best, history.direction is Direction.MAXIMIZE
        finished, pending = self._rows(history)
        user = render(
            "propose_user",
            history=history_text(self._grid.names, finished, maximize),
            pending=history_text(self._grid.names, pending, maximize) if pending else "",
            digest=digest_lines(self._space, history, self.hints),
            maximize=maximize,
            best="none" if best is None else f"trial {best.number} with {best.score:.5g}",
            n_failed=len(history.failed),
            trials_left=None if self._card.trials is None else max(0, self._card.trials - len(history.trials)),
        )
        return system, user

    def _rows(self, history: History) -> tuple[list[Any], list[Any]]:
        """Finished trials in the order in which they were seen to end (a row, once written, stays); running ones."""
        pending = {t.number for t in history.pending}
        trials = {t.number: t for t in history.trials}
        order = [number for number in self._order if number in trials and number not in pending]
        self._order = order + sorted(set(trials) - set(order) - pending)
        finished = [trial_row(trials[number]) for number in self._order]
        return finished, [trial_row(trials[number]) for number in sorted(pending)]

    def _restore(self, history: History) -> None:
        """Read the replies of an earlier process again: the last one as the batch, all as beliefs."""
        past, self._past = self._past[-MAX_BELIEFS:], []
        for row in past:
            used = [t.number for t in history.trials if t.proposal.llm_call_id == row["id"]]
            after = min(used, default=_over(history))
            try:
                reply = CandidateBatch.model_validate(extract_json(row["reply"]))
            except ValueError:  # written by another version
                continue
            self._take(reply, history, after, call_id=row["id"], again=True)
            self._asked_after, self._waited = after, True
            self._call_tokens = (row["prompt_tokens"] or 0) + (row["completion_tokens"] or 0)

    def _take(
        self, reply: CandidateBatch, history: History, over: int, call_id: int | None = None, again: bool = False
    ) -> None:
        """Keep the beliefs, the edits and the usable, new candidates; repeats are votes, what cannot be used is
        rejected, both told."""
        problems: list[str] = []
        beliefs = self._believed(reply, problems)
        if beliefs:
            self._beliefs = [*self._beliefs, Beliefs(beliefs=beliefs, after_trials=over)][-MAX_BELIEFS:]
        keys = known_keys(self._space, history)
        configs, votes = self._grid.new_configs(reply.candidates[: 2 * N_HIGH], keys, problems)
        call_id = self._planner.last_call_id if call_id is None else call_id
        self._batch = [
            Proposal(config=config, source=self.name, why=why, llm_call_id=call_id) for config, why in configs
        ]
        edits = self._grid.edits(reply.edits or (), problems)
        if not again:
            self._edits += [edit for edit in edits if edit not in self._edits]
            self._report(problems, votes)

    def _believed(self, reply: CandidateBatch, problems: list[str]) -> tuple[Belief, ...]:
        beliefs: list[Belief] = []
        for name, fields in list(reply.priors.items())[: 2 * len(self._grid.names)]:
            try:
                beliefs.append(self._grid.belief(name, fields))
            except ValueError as error:
                problems.append(safe_line(f"prior: {error}"))
        return tuple(beliefs)

    def _report(self, problems: list[str], votes: int) -> None:
        if votes:
            message = f"The planner LLM repeated {votes} known configurations; they are not run again."
            self._planner.note(LlmEvent(kind="votes", message=message, count=votes))
        if problems:
            message = f"{len(problems)} statements of the planner LLM cannot be used, the first: {problems[0]}."
            self._planner.note(LlmEvent(kind="rejected", message=message, count=len(problems)))
        if not self._batch:
            message = "The planner LLM's batch held nothing usable; the optimiser goes on alone."
            self._planner.note(LlmEvent(kind="batch_failed", message=message))


def _over(history: History) -> int:
    return len(history.trials) - len(history.pending)
