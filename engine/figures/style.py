"""Figures: what a portfolio, a run, a study or a fit looks like. Data in, the Axes drawn on out.

Every function draws on the Axes it is given, or on a new figure, and returns them; nothing is shown or saved.
Colours, marks and dashes are those of `looks`, so that all of it reads in black and white. Needs
`engine[figures]`.

Source: Nuñez, Anderton & Renslow (2018) for cividis, the colour map of the phase diagram.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "figure.titlesize": 10,
    "legend.fontsize": 8,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "savefig.dpi": 200,
    "svg.hashsalt": "engine",
    "hatch.linewidth": 0.4,
}

# Inches: a column of text.
WIDTH, HEIGHT = 6.4, 3.6
COLUMNS, PANEL_HEIGHT = 3, 1.75


def new_figure(width: float = WIDTH, height: float = HEIGHT) -> Figure:
    """An empty figure of the size that pages show."""
    return Figure(figsize=(width, height), layout="constrained")


def only_axes(axes: Axes | None) -> Axes:
    """The axes given, or those of a figure of their own."""
    return new_figure().add_subplot() if axes is None else axes


def rendered(axes: Axes, ending: str) -> bytes:
    """The figure of these Axes as the content of a file: png, svg or pdf."""
    figure: Any = axes.get_figure(root=True)
    without_date = {"Date": None} if ending == "svg" else None
    data = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(data, format=ending, metadata=without_date)
    return data.getvalue()


def save(axes: Axes, path: Path) -> None:
    """Write the figure of these Axes; the ending of the name says in what format."""
    path.write_bytes(rendered(axes, path.suffix[1:]))


def short(name: str, most: int = 24) -> str:
    """A name as far as it fits."""
    return name if len(name) <= most else name[: most - 1] + "…"


def tint(colour: str, share: float = 0.65) -> Any:
    """A colour mixed with white, so that hatches show on it."""
    return tuple(share * np.array(mpl.colors.to_rgb(colour)) + (1 - share))
