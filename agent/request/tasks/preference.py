"""Requests for preference tuning."""

from typing import TYPE_CHECKING

from agent.request.tasks.request import TaskRequest
from agent.request.working import Working
from trainers.spec import Loss, Task

if TYPE_CHECKING:
    from tools.data.profile_data import Profiled

LENGTH_GAP = 0.15
"""From this relative difference between chosen and rejected lengths on, DPO is length-normalised by default: plain
DPO then learns the length (Tulu 3's length-normalised DPO, arXiv 2411.15124)."""


class PreferenceRequest(TaskRequest):
    """A language model that prefers what people chose."""

    task = Task.PREFERENCE
    columns = ("chosen", "rejected")
    model = "a language model fine-tuned on preferences"
    words = (
        r"dpo",
        r"direct preference optimi[sz]ation",
        (
            r"preference[- ](?:tun(?:e|ing)|optimi[sz]ation|optimi[sz]e|learning|training|train|align(?:ment)?|"
            r"fine-?tun(?:e|ing)|data|pairs?|dataset|loss)"
        ),
        r"preferences?",
        r"chosen\s*(?:/|and|vs\.?|versus|over|-)\s*rejected(?: (?:pairs?|answers?|responses?))?",
        r"preferred (?:and|over|vs\.?) (?:rejected|dispreferred)",
        r"align(?:ment|ing)?\b",
    )

    def choose_loss(self, work: Working, profiled: "Profiled | None") -> None:
        """Plain DPO, or length-normalised DPO where the chosen and rejected answers differ in length."""
        gap = _length_gap(profiled) if profiled else 0.0
        if abs(gap) > LENGTH_GAP:
            longer = "longer" if gap > 0 else "shorter"
            work.infer(
                "loss", Loss.SIGMOID_NORM, f"chosen answers are {abs(gap):.0%} {longer} than rejected ones on average"
            )
        work.default("loss", Loss.SIGMOID, "plain DPO")


def _length_gap(profiled: "Profiled") -> float:
    """Mean words of chosen over mean words of rejected training answers, minus 1."""
    chosen, rejected = (sum(_words(row[role]) for row in profiled.rows["train"]) for role in ("chosen", "rejected"))
    return chosen / max(1, rejected) - 1


def _words(answer: object) -> int:
    if isinstance(answer, list):  # turns of a conversation
        return sum(_words(turn.get("content")) for turn in answer if isinstance(turn, dict))
    return len(str(answer).split())
