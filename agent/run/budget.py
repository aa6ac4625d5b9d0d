"""The ledger: what a study may spend and has spent, over all restarts."""

import math
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from agent.errors import TunewrightError
from agent.report.material import Spending
from agent.study.nouns import History, Phase, Trial
from agent.study.store import Store

BEAT_SECONDS = 2.0
"""How often the wall clock is written down, so the most that kill -9 makes the ledger forget."""

N_CHALLENGERS = 2
"""Search configurations that are confirmed next to the default. Confirming the top few on fresh seeds takes back most
of best-of-K optimism (own simulation: 1.3 to 0.3 noise sd at K=20), and each costs `N_CONFIRM_SEEDS` runs."""

N_CONFIRM_SEEDS = 3
"""Fresh seeds a configuration is confirmed on, where time allows; Bouthillier et al. 2021 (arXiv 2103.03098) ask for
several, three is what fits beside a search of ten."""

MIN_CONFIRM_SEEDS = 2
"""The fewest that give a spread at all."""

RESERVE_SHARE = 0.5
"""Confirmation and report may keep at most this share of the time budget from the search."""

RESERVE_SAFETY, START_SAFETY = 1.25, 1.1
"""Time is reserved for runs this much longer than those measured; they may start when the second still fits."""

REPORT_TRIALS = 1.0
"""Opening the test and writing the report is planned like this many trials: it loads and scores 2-6 adapters."""


class Ledger:
    """One study's budget. Trials, LLM calls and attempts are counted from their own rows; wall time from sessions.

    A session is one process running the study. Failed trials count; interrupted attempts cost time but no trial.
    The caps of the planner LLM are kept by `agent.llm.calls.Ledger`, before each call.
    """

    def __init__(self, store: Store, study_id: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._study_id, self._clock = store, study_id, clock
        study = store.study(study_id)
        self.limits = study.spec.budget
        self._llm_tokens_limit = study.plan.estimate.llm_tokens or None
        self._planned_seconds = study.plan.estimate.seconds_per_trial
        self._session: tuple[str, float] | None = None
        self._earlier_seconds = 0.0

    @contextmanager
    def session(self) -> Iterator[None]:
        """Count wall time while the block runs, in a thread that writes it down every `BEAT_SECONDS`."""
        self._earlier_seconds = self._store.balance(self._study_id, "wall_seconds")
        self._session = (uuid.uuid4().hex, self._clock())
        self._store.reserve(self._study_id, "wall_seconds", self._session[0], 0.0)
        stop = threading.Event()
        thread = threading.Thread(target=self._beat_until, args=(stop,), name="ledger", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            with suppress(TunewrightError):  # a full disk must not hide what went wrong in the block
                self.beat()
            self._session = None

    def beat(self) -> None:
        """Write down the wall time of the open session."""
        if (session := self._session) is not None:
            entry, since = session
            self._store.reconcile(self._study_id, "wall_seconds", entry, self._clock() - since)

    def seconds_used(self) -> float:
        """Wall seconds of all sessions; the open one up to now."""
        if self._session is None:
            return self._store.balance(self._study_id, "wall_seconds")
        return self._earlier_seconds + self._clock() - self._session[1]

    def seconds_left(self) -> float | None:
        """Wall seconds until the limit, 0 when it has passed; None without a limit."""
        return None if self.limits.seconds is None else max(0.0, self.limits.seconds - self.seconds_used())

    def trials_left(self) -> int:
        """Search trials that may still be proposed."""
        return max(0, self.limits.trials - self._store.count_trials(self._study_id, Phase.SEARCH))

    def search_seconds_left(self, slots: int) -> float | None:
        """Seconds the search may still use: what is left without the reserve for confirmation and report."""
        left = self.seconds_left()
        return None if left is None else max(0.0, left - self.reserve_seconds(slots))

    def may_start_search_trial(self, slots: int) -> bool:
        """Whether one more search trial can be expected to end before the reserve is touched."""
        left = self.search_seconds_left(slots)
        return left is None or left > START_SAFETY * self.trial_seconds()

    def trial_seconds(self) -> float:
        """Expected wall time of one search trial: the mean of complete ones, else the plan's estimate, else 0."""
        seconds = [t.seconds for t in self._store.history(self._study_id).complete]
        return sum(seconds) / len(seconds) if seconds else self._planned_seconds or 0.0

    def reserve_seconds(self, slots: int) -> float:
        """Time kept for confirming on `MIN_CONFIRM_SEEDS` seeds and for the report; at most `RESERVE_SHARE`."""
        configs = confirm_candidates(self._store.history(self._study_id))
        measured = sum(t.seconds for t in configs)
        per_trial = measured / len(configs) if measured else self._planned_seconds or 0.0
        missing = 1 + N_CHALLENGERS - len(configs)
        runs = MIN_CONFIRM_SEEDS * (measured + missing * per_trial) / slots
        needed = RESERVE_SAFETY * (runs + REPORT_TRIALS * per_trial)
        return needed if self.limits.seconds is None else min(needed, RESERVE_SHARE * self.limits.seconds)

    def confirm_seeds(self, trials: list[Trial], slots: int) -> int:
        """How many fresh seeds the time left allows for the configurations of `trials`: 0 to `N_CONFIRM_SEEDS`."""
        left = self.seconds_left()
        if left is None:
            return N_CONFIRM_SEEDS
        report = REPORT_TRIALS * self.trial_seconds()
        for n_seeds in range(N_CONFIRM_SEEDS, 0, -1):
            runs = n_seeds * len(trials)
            mean = sum(t.seconds for t in trials) / len(trials)
            if START_SAFETY * (math.ceil(runs / slots) * mean + report) <= left:
                return n_seeds
        return 0

    def spending(self) -> Spending:
        """Used and allowed, side by side."""
        tokens, usd = self._store.llm_spending(self._study_id)
        attempts = self._store.attempts(self._study_id)
        return Spending(
            trials_used=self._store.count_trials(self._study_id, Phase.SEARCH),
            trials_limit=self.limits.trials,
            seconds_used=self.seconds_used(),
            seconds_limit=self.limits.seconds,
            gpu_seconds_used=sum(row["seconds"] for row in attempts if row["device"] != "cpu"),
            llm_tokens_used=tokens,
            llm_tokens_limit=self._llm_tokens_limit,
            llm_replies_unusable=self._store.llm_replies_unusable(self._study_id),
            llm_usd_used=usd,
            llm_usd_limit=self.limits.llm_usd,
        )

    def _beat_until(self, stop: threading.Event) -> None:
        while not stop.wait(BEAT_SECONDS):
            with suppress(TunewrightError):  # the thread that works will meet the same error
                self.beat()


def llm_reservation(store: Store, study_id: str, tokens: int, usd: float) -> Callable[[], None]:
    """Write down the most that a call about to be made can cost; the result lifts that, once the call is recorded.

    A process killed in between leaves it standing, and it counts as spent: the call may have been paid for.
    """
    entry = uuid.uuid4().hex
    with store.tx():
        store.reserve(study_id, "llm_tokens", entry, tokens)
        store.reserve(study_id, "llm_usd", entry, usd)

    def lift() -> None:
        with store.tx():
            store.reconcile(study_id, "llm_tokens", entry, 0.0)
            store.reconcile(study_id, "llm_usd", entry, 0.0)

    return lift


def confirm_candidates(history: History) -> list[Trial]:
    """The default's trial and the first of each of the best other configurations; they run again on fresh seeds."""
    default = [t for t in history.trials if t.number == 0]
    return default + [t for t in history.ranked if t.number != 0][:N_CHALLENGERS]
