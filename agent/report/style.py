"""The look that all figures share."""

import io
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import Field

from trainers.spec import Closed

INK = "#1f2430"
"""Colour of text and axes; becomes the page's own text colour in the SVG, so that it reads on dark and light."""

GREY = "#8a8f98"

CARD = "#fefefe"
"""Ground behind labels that lie on lines; becomes the page's card colour in the SVG."""

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
"""Okabe and Ito's palette without yellow and black: tells apart on both grounds and to colour-blind readers."""

WIDTH = 5.1
"""Inches; small on purpose: scaled to a 390-pixel screen, the text stays readable."""


class NotebookFigure(Figure):
    """`Figure` with the method that IPython looks for."""

    def _repr_png_(self) -> bytes:
        png = io.BytesIO()
        self.savefig(png, format="png", dpi=120, facecolor="white")
        return png.getvalue()


class Plot(Closed):
    """One plot, or the sentence that stands where there is nothing to draw."""

    name: str
    title: str
    alt: str = ""
    svg: str | None = None
    png: bytes | None = None
    missing: str = ""
    wide: bool = Field(False, description="takes a row of the page of its own")


def style() -> AbstractContextManager[None]:
    """How all plots look; nothing global stays changed."""
    import matplotlib as mpl

    look = {
        "svg.fonttype": "path",
        "text.parse_math": False,
        "font.size": 9.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.25,
        "grid.linewidth": 0.6,
        "axes.axisbelow": True,
        "legend.frameon": False,
        "legend.fontsize": 8.5,
        "lines.linewidth": 1.6,
        **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
        "grid.color": GREY,
        "savefig.dpi": 160,
    }
    return mpl.rc_context(look)


def new_figure(inches: tuple[float, float] = (WIDTH, 3.3)) -> Figure:
    """A figure without pyplot, so that nothing global is touched. A notebook shows it all the same."""
    return NotebookFigure(figsize=inches, layout="constrained")


def new_axes(inches: tuple[float, float] = (WIDTH, 3.3)) -> tuple[Figure, Axes]:
    """A figure and the one plot in it."""
    figure = new_figure(inches)
    return figure, figure.add_subplot()


def scale_of(values: Sequence[float], factor: float = 30.0) -> str:
    """ "log" for positive values that span more than `factor`, which one diverged trial would hide; else "linear"."""
    return "log" if min(values) > 0.0 and max(values) / min(values) > factor else "linear"


def finished(figure: Figure, name: str, title: str, alt: str) -> Plot:
    """The figure in both forms: PNG on white, SVG on nothing with text in the page's colour."""
    import matplotlib as mpl

    png, svg = io.BytesIO(), io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": name}):  # ids differ between plots of one page, and repeat between runs
        figure.savefig(png, format="png", facecolor="white", metadata={"Software": None})
        figure.savefig(svg, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return Plot(name=name, title=title, alt=alt, png=png.getvalue(), svg=_inline(svg.getvalue().decode(), alt))


def _inline(svg: str, alt: str) -> str:
    """`svg` without prologue, metadata and fixed size, with `alt` for screen readers."""
    from markupsafe import escape

    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    head, rest = body.split(">", 1)
    head = re.sub(r' (?:width|height)="[^"]*"', "", head)
    head += f' role="img" aria-label="{escape(alt)}"'
    return f"{head}>{rest}".replace(INK, "currentColor").replace(CARD, "var(--card)").strip()
