"""The proposer as an Optuna sampler: `optuna.create_study(sampler=TunewrightSampler())`."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from random import Random, SystemRandom
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial

from agent.llm.open import open_planner
from agent.llm.planner import Planner
from agent.search.for_optuna.foreign_space import ForeignSpace, foreign_space
from agent.search.for_optuna.history import PROPOSAL_KEY, history_of
from agent.search.hybrid import Hybrid
from agent.search.llm.batch import LlmBatch
from agent.search.llm.task_card import TaskCard, card_of_spec
from agent.search.proposer import Proposer
from agent.study.nouns import History, Proposal, derived_seed
from trainers.space import Space
from trainers.spec import Direction, Task, TaskSpec


class TunewrightSampler(BaseSampler):  # type: ignore[misc]
    """Samples the parameters that all finished trials share together, by the hybrid of `agent/search/hybrid.py`.

    Parameters that come and go, and the first `n_startup` trials (at least one: before that the search space is
    unknown), are left to `independent_sampler`, Optuna's TPE by default. Failed trials and broken constraints
    (`trial.set_constraint`) teach it where not to look; running trials of other threads and processes are known to it.
    Studies with several objectives are searched by scalarisations with changing weights. A proposal takes about 0.1 to
    3 s on one core; from 120 trials on the best, the running and the latest are looked at.

    `seed` in [0, 2^31) makes a study with `n_jobs=1` repeatable. `proposer` makes the proposer of a space and rules the
    rest out. Otherwise it is the hybrid: with the embedded in-context model if `incontext`; with published settings for
    hyperparameters under their canonical names if the `task` is known (a `Task` or its name, a card, or a spec); with
    the candidates of the planner LLM that `llm` names, which needs the task. Raises ValueError for an LLM without a
    task, and for an unknown task.

    Every trial that it proposed carries the proposal (source, reason, prediction) as system attribute
    `tunewright:proposal`.
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        n_startup: int = 1,
        llm: str | None = None,
        task: TaskCard | TaskSpec | Task | str | None = None,
        incontext: bool = True,
        proposer: Callable[[Space], Proposer] | None = None,
        independent_sampler: BaseSampler | None = None,
    ) -> None:
        self._factory, self._task, self._incontext = proposer, _card(task), incontext
        self._llm = None if llm == "embedded" else llm
        if self._llm is not None and self._task is None:
            raise ValueError('llm needs to know the task, such as task="sft"')
        self._planner: Planner | None = None
        self._n_startup = max(1, n_startup)
        self._seed = _fresh_seed() if seed is None else seed
        self._independent = independent_sampler or optuna.samplers.TPESampler(seed=self._seed)
        self._lock = threading.Lock()
        self._built: tuple[Any, ForeignSpace, Proposer] | None = None

    def reseed_rng(self) -> None:
        """See `BaseSampler.reseed_rng`."""
        self._seed = _fresh_seed()
        self._independent.reseed_rng()

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """See `BaseSampler.before_trial`."""
        self._independent.before_trial(study, trial)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: optuna.trial.TrialState, values: Sequence[float] | None
    ) -> None:
        """See `BaseSampler.after_trial`."""
        self._independent.after_trial(study, trial, state, values)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The parameters of every complete or pruned trial, those with one value only left out."""
        shared = optuna.search_space.intersection_search_space(study.get_trials(deepcopy=False), include_pruned=True)
        return {name: distribution for name, distribution in shared.items() if not distribution.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """One proposal: new, or one of the best again where all were tried. Nothing before the startup is over."""
        search_space = {n: d for n, d in search_space.items() if not d.single()}
        if not search_space:
            return {}
        with self._lock:  # the next thread must know of what this one proposes
            trials = [t for t in study.get_trials(deepcopy=False) if t.number != trial.number]
            if sum(t.state.is_finished() for t in trials) < self._n_startup:
                return {}
            space, proposer = self._proposer(search_space, study.directions)
            seed = derived_seed(self._seed, "optuna", trial.number)
            history = history_of(space, trials, study.directions, seed)
            with _same_verbosity():
                offered = proposer.propose(history, 1, seed)
            proposal = offered[0] if offered else _again(space.space, history, seed)
            _record(study, trial, proposal)
            return space.outward(proposal.config)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """See `BaseSampler.sample_independent`."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def _proposer(
        self, search_space: dict[str, BaseDistribution], directions: Sequence[StudyDirection]
    ) -> tuple[ForeignSpace, Proposer]:
        minimize = len(directions) == 1 and directions[0] == StudyDirection.MINIMIZE
        direction = Direction.MINIMIZE if minimize else Direction.MAXIMIZE
        key = (search_space, direction)
        if self._built is None or self._built[0] != key:
            space = foreign_space(search_space)
            self._built = (key, space, self._new_proposer(space.space, direction))
        return self._built[1], self._built[2]

    def _new_proposer(self, space: Space, direction: Direction) -> Proposer:
        """The planner LLM is opened once; raises InputError where that cannot be done."""
        if self._factory is not None:
            return self._factory(space)
        if self._task is None:
            return Hybrid(space, incontext=self._incontext)
        card = self._task.model_copy(update={"direction": direction})
        if self._planner is None and self._llm is not None:
            self._planner = open_planner(self._llm)
        batch = LlmBatch(space, card, self._planner) if self._planner else None
        return Hybrid(space, card, batch, incontext=self._incontext)

    def __getstate__(self) -> dict[str, Any]:
        """Without lock and proposer, which are made anew, and planner, which holds connections and keys."""
        return {name: value for name, value in vars(self).items() if name not in ("_lock", "_built", "_planner")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock, self._built, self._planner = threading.Lock(), None, None


def _card(task: TaskCard | TaskSpec | Task | str | None) -> TaskCard | None:
    if isinstance(task, TaskSpec):
        return card_of_spec(task)
    return TaskCard(task=Task(task)) if isinstance(task, str) else task


@contextmanager
def _same_verbosity() -> Iterator[None]:
    """Optuna's log level stays as it was: our own use of Optuna's samplers lowers it."""
    level = optuna.logging.get_verbosity()
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)


def _again(space: Space, history: History, seed: int) -> Proposal:
    """A configuration of the best third once more: in an exhausted space only the noise is left to learn."""
    rng, ranked = Random(seed), history.ranked
    config = rng.choice(ranked[: -(-len(ranked) // 3)]).config if ranked else space.sample(rng)
    return Proposal(config=config, source="again", why="every configuration was tried")


def _record(study: Study, trial: FrozenTrial, proposal: Proposal) -> None:
    """Keep the proposal with the trial, as Optuna's own samplers keep theirs: other processes read it there."""
    value = proposal.model_dump(mode="json", exclude_none=True)
    study._storage.set_trial_system_attr(trial._trial_id, PROPOSAL_KEY, value)


def _fresh_seed() -> int:
    return SystemRandom().randrange(2**31)
