"""Figures: what a portfolio, a run, a study or a fit looks like. Data in, the Axes drawn on out.

Every function draws on the Axes it is given, or on a new figure, and returns them; nothing is shown or saved.
Colours, marks and dashes are those of `looks`, so that all of it reads in black and white. Needs
`engine[figures]`.

Source: Nuñez, Anderton & Renslow (2018) for cividis, the colour map of the phase diagram.
"""

from __future__ import annotations

import functools
import io
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from engine.figures.looks import solver_look
from engine.figures.palette import DARK, DARK_GREYS, INK, PALETTE, PAPER, SOFT

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

# Inches: a column of text, and of a phone, where it is shown at three quarters.
WIDTH, HEIGHT = 5.2, 3.3
COLUMNS, PANEL_HEIGHT = 3, 1.5
# How much colour is in areas, and in what is missed.
AREA, GAP = 0.65, 0.3
# How ticks are written: shares in per cent, other numbers as they are.
IN_PERCENT = mpl.ticker.FuncFormatter(lambda share, _: f"{100 * share:g} %")
AS_NUMBER = mpl.ticker.FuncFormatter(lambda number, _: f"{number:g}")


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


def themed(axes: Axes) -> bytes:
    """The figure of these Axes as SVG whose colours follow the reader's choice of light or dark.

    Text stays text, which is read aloud, searched, and a third of the size.
    """
    with mpl.rc_context({"svg.fonttype": "none"}):
        text = rendered(axes, "svg").decode()
    used = {light: dark for light, dark in _dark_colours().items() if light in text}
    for light in used:
        text = text.replace(light, f"var(--{light[1:]},{light})")
    dark = "".join(f"--{light[1:]}:{dark};" for light, dark in used.items())
    ink = f"svg{{fill:{INK.lower()}}}"
    style = f"{ink}@media (prefers-color-scheme:dark){{svg{{{dark}fill:{DARK[INK]}}}}}"
    head = text.index(">", text.index("<svg")) + 1
    return f"{text[:head]}<style>{style}</style>{text[head:]}".encode()


@functools.cache
def _dark_colours() -> dict[str, str]:
    """What stands on dark paper for the palette, its tints and the greys of stages, as SVG writes them."""
    mixed = [*((colour, AREA) for colour in PALETTE), (SOFT, GAP)]
    tints = {
        hexadecimal(tint(light, share)): hexadecimal(tint(DARK[light], share, DARK[PAPER]))
        for light, share in mixed
    }
    return {light.lower(): dark for light, dark in {**tints, **DARK, **DARK_GREYS}.items()}


def save(axes: Axes, path: Path) -> None:
    """Write the figure of these Axes; the ending of the name says in what format."""
    path.write_bytes(rendered(axes, path.suffix[1:]))


def mark(solver: str) -> dict[str, Any]:
    """How a point of a solver is marked: the best filled, the others hollow around it."""
    look = solver_look(solver)
    return {
        "linestyle": "none",
        "marker": look.marker,
        "markersize": 5 if look.filled else 8,
        "color": look.colour,
        "markerfacecolor": look.colour if look.filled else "none",
        "markeredgewidth": 1.3,
    }


def tint(colour: str, share: float = AREA, paper: str = PAPER) -> Any:
    """A colour mixed with paper, so that hatches show on it."""
    return tuple(share * to_rgb(colour) + (1 - share) * to_rgb(paper))


def to_rgb(colour: str) -> np.ndarray:
    """Red, green and blue, from 0 to 1."""
    return np.array(mpl.colors.to_rgb(colour))


def hexadecimal(colour: Any) -> str:
    """A colour as SVG writes it."""
    return str(mpl.colors.to_hex(colour))
