"""The plan: what will be done, to be approved by its hash before anything is spent."""

import hashlib
import json

from pydantic import Field

from agent.request.draft import DraftSpec, Provenance, Question, Refusal
from agent.request.past import Past
from tools.base_model import BaseModelFacts
from tools.data.data_profile import DataProfile
from tools.estimate import Estimate
from trainers.space import Space
from trainers.spec import Closed, TaskSpec


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
