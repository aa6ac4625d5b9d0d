"""Who decides: requests become plans, plans become studies, studies become reports.

`from agent import Tunewright` is the Python interface. It is loaded when it is asked for: the command line must start
quickly.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.faces.python.tunewright import Tunewright

__all__ = ["Tunewright"]


def __getattr__(name: str) -> Any:
    if name == "Tunewright":
        from agent.faces.python.tunewright import Tunewright

        return Tunewright
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
