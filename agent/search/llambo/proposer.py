"""The parts of LLAMBO (Liu et al., ICLR 2024), each a mode of one proposer, so that each can be measured alone.

* `warmstart-none`, `-partial`, `-full`: configurations without any score, told nothing, something or all of the job.
* `candidates`: configurations that would reach a target score, the first is taken.
* `discriminative`: of a pool (uniform, and near the best) the one with the highest expected improvement under the
  model's predicted scores. `generative`: the one that is most likely in the best quarter.
* `end-to-end`: warm start, then target-conditioned candidates ranked by the discriminative surrogate.

As published each trial takes 22 requests and 23,000 prompt tokens; here every step is one request for the whole batch
or pool. Grades replace scores (see `Scale`), so that any metric, direction and range will do; words of a grid replace
floats, so that log ranges, choices and conditions work; failed and running trials are told; and where nothing usable
comes back that is an event and an empty list, never a random configuration.
"""

from random import Random

from agent.errors import PlannerFailed
from agent.llm.calls import LlmCapReached, LlmEvent
from agent.llm.planner import Planner
from agent.search.fresh import known_keys, neighbour, random_config
from agent.search.llambo.replies import (
    Candidates,
    Predictions,
    Ratings,
    graded_table,
    labelled_table,
    pending_table,
    pool_schema,
    table,
)
from agent.search.llambo.scale import BEST_GRADE, Scale
from agent.search.llm.grid import Grid, fixed_card
from agent.search.llm.task_card import TaskCard
from agent.search.stop import expected_improvement
from agent.study.nouns import History, Proposal
from prompts import Rendered, render
from trainers.space import Space

LLAMBO_MODES: tuple[str, ...] = (
    "warmstart-none",
    "warmstart-partial",
    "warmstart-full",
    "candidates",
    "discriminative",
    "generative",
    "end-to-end",
)

N_CANDIDATES = 10
N_WARM_UP = 5
"""Trials before `end-to-end` leaves the warm start; LLAMBO's own experiments start from five."""

POOL = 16
QUANTILES_APART = 2.563
"""Standard deviations between the 10 % and the 90 % point of a normal distribution."""

SD_FLOOR = 3.0
"""Least standard deviation of a predicted grade: spreads of language models are too small (reference 1.9, 5)."""

PARTIAL = ("task", "adapter", "loss", "metric", "direction", "n_train_rows", "n_classes")


class Llambo:
    """One mode of LLAMBO. Asks in the thread that proposes: seconds to a minute a call, one call a proposal
    (end-to-end: two; a warm start: one for ten). With the planner out of reach or capped it offers nothing."""

    def __init__(self, space: Space, card: TaskCard, planner: Planner, mode: str) -> None:
        if mode not in LLAMBO_MODES:
            raise ValueError(f"mode must be one of {', '.join(LLAMBO_MODES)}, got {mode!r}")
        self.name = f"llambo-{mode}"
        self._space, self._card, self._planner, self._mode = space, card, planner, mode
        self._grid = Grid(space)
        self._warm: list[Proposal] = []
        self._off = not self._grid.names

    def propose(self, history: History, n: int, seed: int) -> list[Proposal]:
        """See `Proposer.propose`. `seed` picks the pool; what a model answers is not in our hands."""
        if self._off:
            return []
        try:
            return self._offered(history, Random(seed))[:n]
        except LlmCapReached:
            self._off = True  # the planner has said so
            return []
        except PlannerFailed as error:
            return self._fail(str(error))

    def _offered(self, history: History, rng: Random) -> list[Proposal]:
        starts = self._mode == "end-to-end" and (len(history.trials) < N_WARM_UP or not history.complete)
        if starts or self._mode.startswith("warmstart"):
            return self._warm_start(history)
        if not history.complete:
            return self._fail(f"{self.name} needs a trial with a score to start from.")
        scale = Scale(history, self._card.metric)
        if self._mode == "candidates":
            return self._candidates(history, scale)
        if self._mode == "end-to-end":
            return self._predicted(history, scale, self._candidates(history, scale))
        pool = self._pool(history, rng)
        judged = self._predicted if self._mode == "discriminative" else self._rated
        return judged(history, scale, pool)

    def _warm_start(self, history: History) -> list[Proposal]:
        keys = known_keys(self._space, history)
        self._warm = [p for p in self._warm if self._space.key(p.config) not in keys]
        if not self._warm:
            rows = [(str(t.number), t.config, None) for t in history.trials[-60:]]
            text = table(self._grid.names, rows) if rows else ""
            user = render("llambo_warmstart", n=N_CANDIDATES, known=text)
            self._warm = self._new_proposals(user, history)
        return self._warm

    def _candidates(self, history: History, scale: Scale) -> list[Proposal]:
        user = render(
            "llambo_candidates",
            history=graded_table(self._grid.names, history, scale),
            pending=pending_table(self._grid.names, history),
            target=f"{scale.target():.0f}",
            n=N_CANDIDATES,
        )
        return self._new_proposals(user, history)

    def _predicted(self, history: History, scale: Scale, pool: list[Proposal]) -> list[Proposal]:
        """The pool by expected improvement; what the model gave no prediction for is left out."""
        if not pool:
            return []
        by_id = {f"c{i + 1}": proposal for i, proposal in enumerate(pool)}
        past = graded_table(self._grid.names, history, scale)
        user = render("llambo_discriminative", history=past, pool=self._pool_table(by_id))
        schema = pool_schema("predictions", list(by_id), ("low", "middle", "high"))
        predictions = {p.id: p for p in self._planner.ask(self._system(), user, Predictions, schema).predictions}
        judged: list[tuple[float, Proposal]] = []
        for pool_id, proposal in by_id.items():
            if (prediction := predictions.get(pool_id)) is None:
                continue
            low, mean, high = (min(max(g, 0.0), 100.0) for g in (prediction.low, prediction.middle, prediction.high))
            sd = max(abs(high - low) / QUANTILES_APART, SD_FLOOR)
            fields = {
                "predicted_mean": scale.score(mean),
                "predicted_sd": abs(scale.score(mean + sd) - scale.score(mean - sd)) / 2.0,
            }
            gain = expected_improvement(mean, sd, BEST_GRADE, maximize=True)
            judged.append((gain, proposal.model_copy(update=fields)))
        return self._best_first(judged, len(pool))

    def _rated(self, history: History, scale: Scale, pool: list[Proposal]) -> list[Proposal]:
        """The pool by the probability of being in the best quarter."""
        if not pool:
            return []
        by_id = {f"c{i + 1}": proposal for i, proposal in enumerate(pool)}
        past = labelled_table(self._grid.names, history, scale)
        user = render("llambo_generative", history=past, pool=self._pool_table(by_id))
        schema = pool_schema("ratings", list(by_id), ("good",))
        ratings = {r.id: r.good for r in self._planner.ask(self._system(), user, Ratings, schema).ratings}
        return self._best_first([(ratings[i], p) for i, p in by_id.items() if i in ratings], len(pool))

    def _pool_table(self, by_id: dict[str, Proposal]) -> str:
        return table(self._grid.names, [(pool_id, p.config, None) for pool_id, p in by_id.items()])

    def _pool(self, history: History, rng: Random) -> list[Proposal]:
        """Configurations to choose from: half near the three best trials, half uniform."""
        keys = known_keys(self._space, history)
        grades = Scale(history, self._card.metric)
        members = [t for t in history.complete if not self._space.problems(t.config)]
        best = sorted(members, key=lambda t: -grades.grade(t.score or 0.0))[:3]
        pool: list[Proposal] = []
        for i in range(POOL):
            near = neighbour(self._space, best[i % len(best)].config, rng, 0.15) if best and i < POOL // 2 else None
            config = near if near is not None and self._space.key(near) not in keys else None
            config = config or random_config(self._space, keys, rng)
            if config is None:
                break
            keys.add(self._space.key(config))
            pool.append(
                Proposal(config=config, source=self.name, why="near a good trial" if near else "drawn uniformly")
            )
        return pool if pool else self._fail("every configuration of the space has been tried.")

    def _system(self) -> Rendered:
        """The prefix, with as much of the job as the mode allows."""
        card = self._card.lines() + fixed_card(self._space)
        if self._mode == "warmstart-none":
            card = []
        elif self._mode == "warmstart-partial":
            card = self._card.lines(PARTIAL)
        return render("llambo_system", card=card, hyperparameters=self._grid.cards())

    def _new_proposals(self, user: Rendered, history: History) -> list[Proposal]:
        """The new configurations of the reply to `user`; what cannot be used or is known is counted in an event."""
        reply = self._planner.ask(self._system(), user, Candidates, self._grid.schema(N_CANDIDATES))
        problems: list[str] = []
        keys = known_keys(self._space, history)
        configs, repeats = self._grid.new_configs(reply.candidates[: 2 * N_CANDIDATES], keys, problems)
        call_id = self._planner.last_call_id
        proposals = [Proposal(config=c, source=self.name, why=why, llm_call_id=call_id) for c, why in configs]
        if repeats:
            message = f"{self.name} repeated {repeats} known configurations."
            self._planner.note(LlmEvent(kind="votes", message=message, count=repeats))
        if problems:
            message = f"{len(problems)} candidates of {self.name} cannot be used, the first: {problems[0]}."
            self._planner.note(LlmEvent(kind="rejected", message=message, count=len(problems)))
        return proposals or self._fail(f"{self.name} gave no new configuration that can be used.")

    def _best_first(self, judged: list[tuple[float, Proposal]], n: int) -> list[Proposal]:
        if len(judged) < n:
            message = f"{self.name} said nothing about {n - len(judged)} of {n} configurations."
            self._planner.note(LlmEvent(kind="rejected", message=message, count=n - len(judged)))
        if not judged:
            return self._fail(f"{self.name} judged no configuration.")
        update = {"llm_call_id": self._planner.last_call_id}
        return [proposal.model_copy(update=update) for _, proposal in sorted(judged, key=lambda pair: -pair[0])]

    def _fail(self, message: str) -> list[Proposal]:
        self._planner.note(LlmEvent(kind="batch_failed", message=message))
        return []
