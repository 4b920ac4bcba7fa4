"""What `benchmarks.scaling` measured as a page shows it: the picture, and tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.peer_comparison import ROOT
from engine.figures.looks import MARKERS
from engine.figures.palette import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION
from engine.figures.style import STYLE, new_figure, save

PICTURE = ROOT / "docs" / "figures" / "scaling.png"
TITLES = {
    "hill": "S-shaped curves (Hill): {effort}",
    "log": "Concave curves (logarithmic): {effort}",
}
LABELS = {
    "projects": "projects N, budget 10 N",
    "budget": "budget B, 20 projects",
    "batch": "portfolios, N = 20, B = 300",
}
SYMBOLS = {"projects": "N", "budget": "B", "batch": "batch"}
REASONS = {"refused": "refused", "time": "> {limit:g} s", "memory": "> {memory:g} GB"}
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, VERMILLION, SKY, BLACK, "#808080")
COMPILED = ("engine", "numba")
WIDTH, HEIGHT = 7.4, 6.4


@mpl.rc_context(STYLE)
def picture(figures: dict[str, Any]) -> Figure:
    """Seconds against size on logarithmic axes, a row a problem, a panel an axis, a line a contender."""
    figure = new_figure(WIDTH, HEIGHT)
    for part, (problem, title) in zip(figure.subfigures(len(TITLES), 1), TITLES.items(), strict=True):
        lines = [line for line in figures["lines"] if line["problem"] == problem]
        names = list(dict.fromkeys(line["contender"] for line in lines))
        panels = part.subplots(1, len(LABELS), sharey=True)
        for axes, axis in zip(panels, LABELS, strict=True):
            for line in lines:
                if line["axis"] == axis:
                    k = names.index(line["contender"])
                    axes.plot(
                        [case["size"] for case in line["cases"]],
                        [case["seconds"] for case in line["cases"]],
                        "-" if line["contender"].startswith("engine") else "--",
                        color=COLOURS[k],
                        marker=MARKERS[k],
                        markersize=4,
                        linewidth=1.2,
                        label=label(line),
                    )
            axes.set(xscale="log", yscale="log", xlabel=LABELS[axis])
            axes.xaxis.set_major_locator(mpl.ticker.LogLocator(numticks=5))
            axes.grid(True, which="major", linewidth=0.4, color="#cccccc")
        panels[0].set_ylabel("seconds")
        part.suptitle(title.format(effort="whole units, and real effort (marked so)"))
        handles, labels = panels[0].get_legend_handles_labels()
        part.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure


def label(line: dict[str, Any]) -> str:
    """A contender, and what it answers where it is not whole units."""
    return line["contender"] + (" (real)" if line["kind"] == "continuous" else "")


def draw(figures: dict[str, Any], path: Path = PICTURE) -> Path:
    """Save the picture."""
    save(picture(figures).axes[0], path)
    return path


def seconds_text(seconds: float) -> str:
    """Two digits in the unit that suits them."""
    factor, unit = next(
        ((f, u) for f, u in ((1.0, "s"), (1e3, "ms")) if float(f"{seconds * f:.2g}") >= 1), (1e6, "µs")
    )
    number = float(f"{seconds * factor:.2g}")
    return f"{number:,.0f} {unit}" if number >= 10 else f"{number:.2g} {unit}"


def tables(figures: dict[str, Any]) -> str:
    """A table an axis: seconds at some sizes, and what else the largest size took."""
    parts = []
    for axis, symbol in SYMBOLS.items():
        lines = [line for line in figures["lines"] if line["axis"] == axis]
        # The sizes that those who compile have met; others met more.
        met = [line["cases"] for line in lines if line["contender"].startswith(COMPILED)]
        own = sorted({case["size"] for cases in met for case in cases})
        heads = [f"{symbol}={size:,}" for size in own]
        rows = [f"| | {' | '.join(heads)} | compiles in | memory |"]
        rows.append("| --- |" + " ---: |" * (len(heads) + 2))
        for problem, title in (("hill", "*S-shaped*"), ("log", "*concave*")):
            rows.append(f"| {title} |" + " |" * (len(heads) + 2))
            rows += [_row(line, own, figures) for line in lines if line["problem"] == problem]
        parts.append("\n".join(rows))
    return "\n\n".join(parts)


def _row(line: dict[str, Any], sizes: list[int], figures: dict[str, Any]) -> str:
    cases = {case["size"]: case for case in line["cases"]}
    cells, end = [], line["end"]
    for size in sizes:
        if size in cases:
            cells.append(seconds_text(cases[size]["seconds"]))
        elif end is not None and size >= end["size"]:
            cells.append(reason(end, figures))
            end = None
        else:
            cells.append("")
    if not cases:
        return f"| {label(line)} | {' | '.join(cells)} | | |"
    last = line["cases"][-1]
    compiles = line["contender"].startswith(COMPILED)
    cells.append(seconds_text(last["first"] - last["seconds"]) if compiles else "–")
    cells.append(f"{last['peak_mib'] - last['before_mib']:,.0f} MiB")
    return f"| {label(line)} | {' | '.join(cells)} |"


def reason(end: dict[str, Any], figures: dict[str, Any]) -> str:
    """Why a line ended, in few words."""
    return REASONS.get(end["ended"], end["ended"]).format(
        limit=figures["limit"], memory=figures["memory"] / 1e9
    )
