"""Who decides: requests become plans, plans become studies, studies become reports.

`from agent import Tunewright` is the Python interface, `from agent import TunewrightSampler` the search as an Optuna
sampler. Both are loaded when they are asked for: the command line must start quickly.
"""

import sys
import warnings
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.faces.python.tunewright import Tunewright
    from agent.search.for_optuna.sampler import TunewrightSampler

__all__ = ["Tunewright", "TunewrightSampler"]

_HOMES = {"Tunewright": "agent.faces.python.tunewright", "TunewrightSampler": "agent.search.for_optuna.sampler"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _old_sampler_module() -> ModuleType:
    """`agent.optuna_sampler`, where the sampler lay before; goes with the next release."""
    module = ModuleType("agent.optuna_sampler", "Moved: from agent import TunewrightSampler")

    def moved(name: str) -> Any:
        if name != "TunewrightSampler":
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        hint = "agent.optuna_sampler goes with the next release; write: from agent import TunewrightSampler"
        warnings.warn(hint, DeprecationWarning, stacklevel=2)
        return __getattr__(name)

    module.__dict__["__getattr__"] = moved
    return module


optuna_sampler = sys.modules["agent.optuna_sampler"] = _old_sampler_module()
