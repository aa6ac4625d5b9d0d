"""Whether the plan fits machine and limits, else the smallest change that would make it fit; and what to know of it."""

import math
import shutil
from pathlib import Path

from agent.request.draft import RefusalClass
from agent.request.working import Working
from tools.base_model import BaseModelFacts
from tools.data.data_profile import DataProfile
from tools.data.profile_data import MIN_ROWS
from tools.estimate import (
    ADAPTER_BYTES,
    P90_FACTOR,
    WORKER_START_SECONDS,
    Estimate,
    adapter_weights,
    trial_cost,
    trials_at_once,
)
from tools.machine import Machine
from trainers.space import CategoricalParameter, IntParameter, Space
from trainers.spec import Adapter, TaskSpec, Tradeoff

GPU_SHARE = 0.95
"""Of a GPU's memory; the rest is lost to fragmentation."""
BYTES_PER_MB = 1e6
STUDY_MB = 50
"""Of a study's database, splits, logs, tokenizers and report, beside its adapters; generous."""
COARSE_INTERVAL = 0.05
"""Half a 95 % interval, as a share, from which on the plan says that a result is unsure."""
ADAPTERS_KEPT = 6
"""The finalists of the search, one being trained, and the copy that is handed back."""


def fit_adapter_limit(work: Working, spec: TaskSpec, space: Space, base: BaseModelFacts) -> Space:
    """`space` without the ranks whose adapter would exceed `constraints.max_adapter_mb`; refused if none is left."""
    limit, rank = spec.constraints.max_adapter_mb, space.parameters.get("lora_rank")
    if limit is None or spec.adapter is Adapter.FULL or rank is None:
        return space
    one_mb = adapter_weights(base, 1) * ADAPTER_BYTES / BYTES_PER_MB
    largest = math.floor(limit / one_mb) if one_mb else 2**31
    ranks = [float(c) for c in rank.choices] if isinstance(rank, CategoricalParameter) else [rank.low, rank.high]
    smallest = min(ranks)
    if smallest > largest:
        rule = f"the smallest adapter of the search (rank {smallest:g}) takes about {smallest * one_mb:.1f} MB"
        advice = f"Allow {smallest * one_mb * 1.05:.1f} MB" + (f", or use rank {largest}." if largest >= 1 else ".")
        work.refuse(RefusalClass.INFEASIBLE, f"{rule}, more than max_adapter_mb {limit:g}. {advice}")
        return space
    if max(ranks) <= largest:
        return space
    new: CategoricalParameter | IntParameter
    if isinstance(rank, CategoricalParameter):
        choices = tuple(choice for choice in rank.choices if float(choice) <= largest)
        default = rank.default if rank.default in choices else choices[-1]
        new = CategoricalParameter(choices=choices, default=default)
    else:
        nearest = None if rank.default is None else min(int(rank.default), largest)
        new = IntParameter(low=int(rank.low), high=largest, log=rank.log, default=nearest)
    work.notes.append(f"lora_rank goes up to {new.at(1.0)} only: a larger adapter would exceed {limit:g} MB.")
    return space.model_copy(update={"parameters": {**space.parameters, "lora_rank": new}})


def check_feasible(
    work: Working,
    spec: TaskSpec,
    space: Space,
    base: BaseModelFacts,
    data: DataProfile,
    machine: Machine,
    flops_per_second: float,
) -> None:
    """Refuse what cannot fit: no default trial in the time, or not one row in the memory. Needs the model's size."""
    if base.parameters is None:
        work.notes.append(f"The size of {base.name} is not known: time and memory are not checked.")
        return
    cost = trial_cost(spec, space.default(), base, data, machine, flops_per_second)
    seconds = spec.budget.seconds
    if seconds is not None and seconds < WORKER_START_SECONDS / 2 + cost.seconds:
        needed = math.ceil((WORKER_START_SECONDS + cost.seconds * P90_FACTOR) / 10) * 10
        rows = int(data.splits.train * (seconds - WORKER_START_SECONDS) / cost.seconds)
        work.refuse(
            RefusalClass.INFEASIBLE,
            f"starting takes up to {WORKER_START_SECONDS:.0f} s and one trial with the default settings about "
            f"{cost.seconds:.0f} s here, and the budget is {seconds:g} s. Allow at least {needed} s"
            + (f", or train on about {rows:,} rows." if rows >= MIN_ROWS else "."),
        )
    limit_mb, owner = memory_limit(spec, machine)
    # out of memory halves the micro-batch, so that one row at a time is what must fit
    smallest = trial_cost(spec, space.default(), base, data, machine, flops_per_second, micro_batch=1)
    at_once = trials_at_once(spec, machine) if machine.device == "cpu" else 1
    if smallest.memory_mb <= limit_mb < smallest.memory_mb * at_once:
        work.refuse(
            RefusalClass.INFEASIBLE,
            f"{at_once} trials at once need about {smallest.memory_mb * at_once / 1024:.1f} GB, and {owner} "
            f"{limit_mb / 1024:.1f} GB. Run {int(limit_mb // smallest.memory_mb)} at once (parallel_trials).",
        )
    if smallest.memory_mb > limit_mb:
        advice = _smallest_change(spec, base, data, machine, space, limit_mb)
        work.refuse(
            RefusalClass.INFEASIBLE,
            f"{base.name} with {spec.adapter} needs about {smallest.memory_mb / 1024:.1f} GB for one row of "
            f"{data.lengths.max_seq_length} tokens, and {owner} {limit_mb / 1024:.1f} GB. {advice}",
        )


def check_disk(work: Working, adapter_mb: float | None, home: Path) -> None:
    """There must be room for what a study keeps; asked before the first byte of it is written."""
    place = next(p for p in (home, *home.parents) if p.exists())
    free_mb = shutil.disk_usage(place).free / BYTES_PER_MB
    needed_mb = STUDY_MB + ADAPTERS_KEPT * (adapter_mb or 0.0)
    if free_mb < needed_mb:
        rule = f"a study needs about {needed_mb:,.0f} MB of disk, and {place} has {free_mb:,.0f} MB free."
        work.lack("output", rule, "Free some space, or set TUNEWRIGHT_HOME to another disk.", "disk_full")


def memory_limit(spec: TaskSpec, machine: Machine) -> tuple[float, str]:
    if machine.device == "cuda":
        limit, owner = max(gpu.memory_mb for gpu in machine.gpus) * GPU_SHARE, "the GPU has"
    else:
        limit, owner = float(machine.free_memory_mb), "this machine has free"
    limit_gb = spec.constraints.max_vram_gb
    if limit_gb is not None and machine.device == "cuda" and limit_gb * 1024 < limit:
        return limit_gb * 1024, "the limit (max_vram_gb) is"
    return limit, owner


def _smallest_change(
    spec: TaskSpec, base: BaseModelFacts, data: DataProfile, machine: Machine, space: Space, limit_mb: float
) -> str:
    """The first of shorter rows, LoRA and QLoRA (on a GPU) that makes the default trial fit, else a model size."""

    def needs(changed: TaskSpec, length: int) -> float:
        lengths = data.lengths.model_copy(update={"max_seq_length": length})
        shorter = data.model_copy(update={"lengths": lengths})
        return trial_cost(changed, space.default(), base, shorter, machine, 1e12, micro_batch=1).memory_mb

    adapters = [spec.adapter, Adapter.LORA, *([Adapter.QLORA] if machine.device == "cuda" else [])]
    for adapter in dict.fromkeys(adapters):
        changed = spec.model_copy(update={"adapter": adapter})
        length = data.lengths.max_seq_length
        while length > 64 and needs(changed, length) > limit_mb:
            length //= 2
        if needs(changed, length) <= limit_mb:
            parts = [f"use {adapter}"] if adapter is not spec.adapter else []
            parts += [f"cut rows to {length} tokens"] if length < data.lengths.max_seq_length else []
            return f"To fit, {' and '.join(parts)}."
    share = limit_mb / needs(spec.model_copy(update={"adapter": adapters[-1]}), 64)
    return f"Choose a model of at most about {(base.parameters or 0) * share * 0.8 / 1e9:.1f} billion weights."


def data_notes(
    spec: TaskSpec, data: DataProfile, estimate: Estimate, machine: Machine, *, trials_given: bool
) -> list[str]:
    """What the user should know before approving: what was cut, removed or escaped, and how sure a result can be."""
    notes = list(data.notes)
    if removed := data.duplicates.removed_from_train:
        notes.append(f"{removed} rows are left out of training: repeated there, or in validation or test as well.")
    half = interval_half_width(data.splits.test)
    if half > COARSE_INTERVAL:
        notes.append(
            f"The test split has {data.splits.test} rows: the 95 % interval of a share is up to "
            f"±{half * 100:.0f} points, so small gains will not be distinguishable."
        )
    if (asked := spec.budget.parallel_trials) > 1:
        at_once = trials_at_once(spec, machine)
        if machine.device == "cpu":
            notes.append(
                f"{at_once} trials at once share {machine.cpu_cores} CPU cores: hardly faster than one by one."
            )
        elif at_once < asked:
            notes.append(f"{at_once} of the {asked} trials asked for run at once: one a GPU.")
    if machine.device == "cpu" and Tradeoff.PEAK_MEMORY_MB in spec.objective.tradeoffs:
        notes.append(
            "On a CPU, peak memory is the whole worker's and grows from trial to trial: it tells configurations apart "
            "poorly. On a GPU it is measured anew for each trial."
        )
    limit = spec.budget.seconds
    if limit and not trials_given and estimate.seconds_p90 is not None and estimate.seconds_p90 < limit / 2:
        parts = max(2, round(limit / max(estimate.seconds_p90, limit / 1000)))
        share = {2: "half", 3: "third", 4: "quarter", 5: "fifth", 10: "tenth"}.get(parts, f"{parts}th")
        notes.append(
            f"{spec.budget.trials} trials need about a {share} of your time limit at "
            "most; say how many trials you want for a longer search."
        )
    return notes


def interval_half_width(rows: int) -> float:
    """Half the width of the 95 % normal interval of a share of 0.5 among `rows` rows: the widest there is."""
    return 1.96 * math.sqrt(0.25 / rows) if rows else 1.0
