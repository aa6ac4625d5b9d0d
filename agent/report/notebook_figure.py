"""A matplotlib figure that shows itself in a notebook, whether or not pyplot was ever imported."""

import io

from matplotlib.figure import Figure


class NotebookFigure(Figure):
    """`Figure` with the method that IPython looks for."""

    def _repr_png_(self) -> bytes:
        png = io.BytesIO()
        self.savefig(png, format="png", dpi=120, facecolor="white")
        return png.getvalue()
