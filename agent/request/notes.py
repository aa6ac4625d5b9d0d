"""Warnings and assumptions about the data, one sentence each, for the plan."""

import math

from tools.data.data_profile import DataProfile
from tools.estimate import Estimate, trials_at_once
from tools.machine import Machine
from trainers.spec import TaskSpec, Tradeoff

COARSE_INTERVAL = 0.05


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
