"""The plan: what will be done, to be approved by its hash before anything is spent."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from pydantic import Field

from agent.request.draft import Draft, DraftSpec, Provenance, Question, Quote, Refusal
from agent.request.past import Past
from tools.base_model import BaseModelFacts
from tools.data.data_profile import DataProfile
from tools.estimate import Estimate
from trainers.dotted import flat, nested
from trainers.space import Space
from trainers.spec import Closed, Intent, TaskSpec

_FOUND_AGAIN = ("data.columns.", "objective.direction")
"""What was inferred here follows from the data or from other fields, and does so again."""

_NAMES_A_PATH = ("data.train", "data.validation", "data.test", "base_model", "warm_start")


class PlanError(Closed):
    """The first thing that keeps the plan from being carried out and that is not a question."""

    code: str
    param: str
    message: str
    hint: str


class Plan(Closed):
    """One reading of a request against real data, model and machine. Ready if no question, refusal or error is open."""

    request: str
    spec: TaskSpec | DraftSpec = Field(union_mode="left_to_right")
    provenance: dict[str, Provenance]
    questions: tuple[Question, ...] = ()
    refusal: Refusal | None = None
    error: PlanError | None = None
    base: BaseModelFacts | None = None
    data: DataProfile | None = None
    space: Space | None = None
    past: Past | None = Field(None, description="what spec.warm_start brought")
    device: str = "cpu"
    precision: str = "fp32"
    estimate: Estimate = Estimate()
    notes: tuple[str, ...] = Field((), description="warnings and assumptions, one sentence each")
    ignored: tuple[str, ...] = ()
    study: str | None = None
    trial: int | None = None
    llm: str = "embedded"

    @property
    def ready(self) -> bool:
        """Whether the plan can be approved."""
        return isinstance(self.spec, TaskSpec) and not (self.questions or self.refusal or self.error)

    @property
    def plan_hash(self) -> str:
        """sha256 of what would be done: the resolved spec, data fingerprints, space, past trials, base model, planner.

        Of the base model only what pins it counts, and of a data file its bytes: where they lie may change. Prose does
        not count: why a column was taken for what it is differs between a request and a spec file that names it.
        """
        done = self.model_dump(mode="json", include={"spec", "data", "space", "device", "precision", "llm"})
        for source in (done["data"] or {}).get("sources", ()):
            del source["path"]
        for prose in ("column_evidence", "notes"):
            (done["data"] or {}).pop(prose, None)
        done["base"] = self.base and self.base.model_dump(mode="json", include={"name", "revision", "fingerprint"})
        if self.past is not None:  # as read at planning: the file may grow or go
            done["past"] = self.past.model_dump(mode="json", include={"trials"})
        return hashlib.sha256(json.dumps(done, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def copied(plan: Plan, study_id: str, cwd: Path | None) -> Draft:
    """The draft that gives the plan of study `study_id` again: what its user said, marked as copied from it.

    Defaults are left to be chosen again, so that an edit ("use macro-F1", "on other.csv") draws its own consequences;
    where nothing changed, the same values come out, and with them the same plan hash. The output directory is not
    copied: the study's own model lies there. Relative paths are those of `cwd`, where the study was approved.
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
