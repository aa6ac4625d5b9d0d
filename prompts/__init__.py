"""What the planner is told: Markdown templates and the one function that renders them."""

from prompts.render import Rendered, render

__all__ = ["Rendered", "render"]
