"""A stored study carried out in this process: its data, planner, proposers, executor and watchers put together."""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from agent.llm.calls import LlmCaps
from agent.llm.open import open_planner
from agent.llm.planner import Planner
from agent.llm.vllm.server import close_servers
from agent.report.material import Material
from agent.report.watching import watched
from agent.report.write import write_report
from agent.request.plan import Plan
from agent.run.budget import llm_reservation
from agent.run.local import LocalExecutor, local_slots, open_test_in_child
from agent.run.loop import run_study
from agent.run.run import planned_space, tell
from agent.search.llm.batch import LlmBatch
from agent.search.llm.task_card import task_card
from agent.search.proposer import Proposer
from agent.search.tradeoff import trading_off
from agent.search.warm_start import warmed_up
from agent.settings import Settings
from agent.study.nouns import EventKind, Observer, Study, StudyEvent, StudyState
from agent.study.store import Store
from tools.base_model import cache_directory
from tools.estimate import training_flops
from tools.export import export
from tools.machine import find_machine
from trainers.open_base import local_directory
from trainers.space import Space


def work_on(study_id: str, store: Store, settings: Settings) -> StudyState:
    """Run or resume a study; where it stands after that. What happens is in the store, where others follow it.

    SIGTERM stops the study and raises KeyboardInterrupt.
    """
    study = store.study(study_id)
    with stopped_by_signals(), ExitStack() as stack:
        stack.callback(close_servers)  # a server of the planner LLM's that a question has started
        if study.plan.base is not None:
            local_directory(study.plan.base.path, study.plan.base.revision)  # workers have no network
        take_data(study, settings)
        observer = stack.enter_context(watched(Unwatched(), study, store, settings))
        executor = LocalExecutor(local_slots(study.plan.device, study.spec.budget.parallel_trials), study.directory)
        stack.callback(executor.close)
        build = _proposers(study, store, observer)
        run_study(
            study.study_id,
            store=store,
            executor=executor,
            proposer=build(planned_space(study)),
            rebuild=build,
            observer=observer,
            open_test=lambda spec: open_test_in_child(spec, study.directory, study.plan.device),
            write_report=partial(_write_results, study),
        )
    return store.study(study_id).state


class Unwatched:
    """An observer for a study that nobody watches: what happens is in the store."""

    def on_event(self, event: StudyEvent) -> None:
        """Nothing to show."""


def _write_results(study: Study, material: Material, directory: Path) -> None:
    """The report and, for a spec with `output.merge`, the merged model beside the adapter."""
    write_report(material, directory)
    merged = directory / "merged"
    if study.spec.output.merge and not merged.exists():  # it appears complete or not at all
        export(directory / "adapter", merged, merge=True)


@contextmanager
def stopped_by_signals(*signals: signal.Signals) -> Iterator[None]:
    """`signals` (none: SIGTERM and SIGHUP) stop what runs as Ctrl-C does; an ignored one (`nohup`) stays ignored."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    with ExitStack() as stack:
        for sign in signals or (signal.SIGTERM, signal.SIGHUP):
            if (handler := signal.getsignal(sign)) not in (signal.SIG_IGN, None):
                stack.callback(signal.signal, sign, handler)
                signal.signal(sign, stop)
        yield


def prepared_data(plan: Plan, settings: Settings) -> Path:
    """Where a plan's data wait until its study has a directory."""
    return settings.home / "prepared" / plan.plan_hash


def take_data(study: Study, settings: Settings) -> None:
    """Move the prepared data into the study's directory; nothing to do where they are there already."""
    data = study.directory / "data"
    if not data.exists():
        data.parent.mkdir(parents=True, exist_ok=True)
        prepared_data(study.plan, settings).rename(data)


def _proposers(study: Study, store: Store, observer: Observer) -> "Callable[[Space], Proposer]":
    """Makes the study's proposer over a space: the plan's, or a wider one later. All share one planner LLM."""
    from agent.search.feasibility import affordable
    from agent.search.hybrid import Hybrid

    plan, past = study.plan, study.plan.past
    if past is not None and not store.events(study.study_id, kind=EventKind.WARM_STARTED):
        start = {"study": past.study, "used": len(past.trials), "left_out": past.left_out}
        tell(observer, store.log_event(study.study_id, EventKind.WARM_STARTED, None, start))
    planner = open_study_planner(
        plan,
        store.llm_spending(study.study_id),
        on_call=lambda call: store.log_llm_call(call, study.study_id),
        on_reserve=lambda tokens, usd: llm_reservation(store, study.study_id, tokens, usd),
        on_event=lambda event: tell(
            observer, store.log_event(study.study_id, EventKind.PLANNER, None, event.model_dump())
        ),
    )

    machine, card = find_machine(), task_card(plan)
    fits = affordable(plan, machine, training_flops(machine, cache_directory()))

    def build(space: Space) -> Proposer:
        calls = store.llm_calls(study.study_id)
        batch = LlmBatch(space, card, planner, background=True, past=calls) if planner else None
        proposer = trading_off(Hybrid(space, card, batch, fits=fits), study.spec.objective)
        return warmed_up(proposer, space, past.trials if past else ())

    return build


def open_study_planner(plan: Plan, spent: tuple[int, float] = (0, 0.0), **reports: Any) -> Planner | None:
    """The plan's planner LLM under its caps, of which `spent` (tokens, dollars) is used; None for `embedded`."""
    if plan.llm == "embedded":
        return None
    tokens, usd = plan.estimate.llm_tokens or None, plan.spec.budget.llm_usd
    caps = LlmCaps(tokens=tokens, usd=usd, tokens_used=spent[0], usd_used=spent[1])
    return open_planner(plan.llm, caps=caps, **reports)
