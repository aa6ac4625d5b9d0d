"""The configuration of a study that exists as the draft of a new one: what its user said, not what followed from it.

Defaults are left to be chosen again, so that an edit ("use macro-F1", "on other.csv") draws its own consequences.
Where nothing changed, the same values come out, and with them the same plan hash.
"""

import os
from pathlib import Path
from typing import Any

from agent.request.draft import Draft, DraftSpec, Quote
from agent.request.plan import Plan
from trainers.dotted import flat, nested
from trainers.spec import Intent

_FOUND_AGAIN = ("data.columns.", "objective.direction")
"""What was inferred here follows from the data or from other fields, and does so again."""

_NAMES_A_PATH = ("data.train", "data.validation", "data.test", "base_model", "warm_start")


def copied(plan: Plan, study_id: str, cwd: Path | None) -> Draft:
    """The draft that gives the plan of study `study_id` again, every value marked as copied from it.

    The output directory is not copied: the study's own model lies there. Relative paths are those of `cwd`, the
    directory that the study was approved in.
    """
    origin = f"copied from study {study_id}"
    values = flat(plan.spec)
    quotes: list[Quote] = []
    inferred = {"intent": origin}
    copies: dict[str, Any] = {"intent": Intent.TRAIN}
    for field, value in values.items():
        provenance = plan.provenance.get(field)
        if field in ("intent", "output.dir") or provenance is None or provenance.source == "default":
            continue
        if provenance.source == "inferred":
            if field.startswith(_FOUND_AGAIN):
                continue
            inferred[field] = origin
        else:
            quotes.append(Quote(field=field, quote=origin))
        copies[field] = _from_here(value, cwd) if field in _NAMES_A_PATH else value
    left_out = values.get("output.dir")
    return Draft(
        spec=DraftSpec.model_validate(nested(copies)),
        quotes=tuple(quotes),
        inferred=inferred,
        ignored=() if left_out is None else (f"the output directory {left_out} of study {study_id}",),
    )


def _from_here(name: str, cwd: Path | None) -> str:
    """A relative path as it must be written to mean the same from this process's working directory."""
    if cwd is None or cwd == Path.cwd():
        return name
    file, mark, rest = name.partition("#")
    there = Path(os.path.normpath(cwd / file))
    return f"{there}{mark}{rest}" if not Path(file).is_absolute() and there.exists() else name
