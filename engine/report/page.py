"""The report as one HTML file: question, findings, figures, tables, instances to look at, configuration.

Nothing in the file comes from elsewhere: figures are SVG within it, and it opens without a network, on a
phone and on paper. What comes from users is escaped. Needs `engine[figures]`.
"""

from __future__ import annotations

import base64
import json
import math
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import yaml

from engine._version import __version__
from engine.figures.gallery import Illustration, illustrate_run, illustrate_study, setting
from engine.figures.style import rendered
from engine.simulation.point import REFERENCE, Study
from engine.simulation.summaries import means
from engine.study.grid import read_grid
from engine.study.results import Found, load_found
from engine.study.store import Store

WORST, SLOWEST = 5, 5


COLUMNS = ("value", "gap", "loss", "optimal", "proved", "frontier", "funded", "price")


PER_CENT = ("gap", "loss", "optimal", "proved", "frontier")


CAPTION = (
    "Means over portfolios. gap: certified, (bound − value)/|bound|. loss: share of the proved optimum "
    "missed. optimal, proved: share of portfolios. frontier: chance that some project reaches it."
)


@dataclass(frozen=True)
class HtmlTable:
    """Cells of text; `texts` are the columns that are words."""

    headings: list[str]
    rows: list[list[str]]
    texts: list[int] = field(default_factory=list)
    caption: str = ""


def study_page(store: Store, study_of: Callable[[int], Study], question: str | None = None) -> str:
    """The report of a sweep, finished or not."""
    manifest = store.manifest
    found = load_found(store.folder)
    progress = store.progress()
    config = manifest["config"]
    keys = [key for axis in manifest["axes"] for key in axis["keys"]]
    solvers = list(dict.fromkeys(f.solver for f in found))
    portfolios = int(max(float(f.summary.count) for f in found)) if found else 0
    warnings = []
    if progress.left or progress.failed:
        there = f"{progress.done:,} of {progress.blocks:,} blocks are there, {progress.failed:,} failed"
        warnings.append(f"Not finished: {there}.")
    return _render(
        "report.html",
        title=f"{config['scenario']['name']}: {' × '.join(keys) or 'one point'}",
        question=question or manifest.get("question") or _question(config, keys, solvers),
        extent=f"{manifest['points']:,} points of {portfolios:,} portfolios, seed {manifest['seed']}.",
        warnings=warnings,
        findings=_findings(found),
        figures=_embedded(illustrate_study(store, found, study_of)),
        solvers=solver_table(found),
        points=_point_table(found, keys) if len({f.point for f in found}) > 1 else None,
        instances=[*_worst(store), *_slowest(store)],
        again=" ".join(["engine sweep", *(shlex.quote(o.lstrip("+")) for o in manifest["overrides"])]),
        configuration=yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
        machine=_machine(manifest),
    )


def run_page(folder: Path, question: str | None = None) -> str:
    """The report of a run."""
    facts = json.loads((folder / "run.json").read_text())
    config = yaml.safe_load((folder / "config.yaml").read_text())
    found = load_found(folder)
    solvers = list(dict.fromkeys(f.solver for f in found))
    run = config["run"]
    return _render(
        "report.html",
        title=f"{config['scenario']['name']}, budget {config['budget']:g}",
        question=question or _question(config, [], solvers),
        extent=f"{facts['portfolios']:,} portfolios, seed {run['seed']}, in {facts['seconds']:.1f} s.",
        warnings=[f"{s}: {n:,} portfolios were not solved." for s, n in facts["failed"].items() if n],
        findings=_findings(found),
        figures=_embedded(illustrate_run(folder)),
        solvers=solver_table(found, facts["portfolios_per_second"]),
        points=None,
        instances=[],
        again="",
        configuration=yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
        machine=_machine(facts),
    )


def textbook_page(
    chapters: Sequence[Any], question: str, portfolios: int, seed: int, facts: dict[str, Any]
) -> str:
    """The textbook experiment as one page; see `engine.textbook`."""
    return _render(
        "textbook.html",
        title="The textbook experiment",
        question=question,
        extent=f"{portfolios:,} random portfolios at each point of its maps, seed {seed}.",
        chapters=[
            {"title": c.title, "text": c.text, "figures": _embedded(c.illustrations), "table": c.table}
            for c in chapters
        ],
        again=f"engine textbook run.portfolios={portfolios} run.seed={seed}",
        machine=_machine(facts),
    )


def _render(template: str, **parts: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("engine.report"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template(template).render(version=__version__, **parts)


def _question(config: dict[str, Any], keys: list[str], solvers: list[str]) -> str:
    """What the study asks, in words, where its author did not say."""
    description = config["scenario"].get("description") or config["scenario"]["name"]
    over = f", over {' and '.join(keys)}" if keys else ""
    return f"How do {', '.join(solvers)} allocate{over}, and what do they miss? The scenario: {description}."


def _findings(found: list[Found]) -> list[str]:
    """What the numbers say first: who loses how much, and where the frontier is reached."""
    lines = []
    for solver in dict.fromkeys(f.solver for f in found if f.solver != REFERENCE):
        losses = [
            f.summary for f in found if f.solver == solver and f.metric == "loss" and float(f.summary.count)
        ]
        if losses:
            mean = [float(summary.mean) for summary in losses]
            largest = max(float(summary.largest) for summary in losses)
            each = _range(mean, lambda share: f"{max(share, 0.0):.2%}")
            lines.append(
                f"{solver} misses {each} of the proved optimum on average, {max(largest, 0):.1%} at worst."
            )
    proved: dict[str, list[float]] = {}
    for f in found:
        if f.metric == "proved":
            proved.setdefault(f.solver, []).append(float(f.summary.mean))
    lines += [
        f"{solver} proves {_range(shares, lambda share: f'{share:.1%}')} of its answers optimal."
        for solver, shares in proved.items()
    ]
    best = REFERENCE if any(f.solver == REFERENCE for f in found) else None
    chances = [f for f in found if f.metric == "frontier" and f.solver == (best or found[-1].solver)]
    if len(chances) > 1:
        most = sum(float(f.summary.mean) > 0.5 for f in chances)
        lines.append(f"At {most} of {len(chances)} points most portfolios have a project at the frontier.")
    return lines


def _range(numbers: list[float], show: Callable[[float], str]) -> str:
    low, high = show(min(numbers)), show(max(numbers))
    return low if low == high else f"{low} to {high}"


def solver_table(found: list[Found], rates: dict[str, float] | None = None) -> HtmlTable:
    """One row a solver: the mean over all points, which all have as many portfolios."""
    rows = []
    for solver in dict.fromkeys(f.solver for f in found):
        by = {m: [_mean(f) for f in found if f.solver == solver and f.metric == m] for m in COLUMNS}
        cells = [_cell(metric, _average(values)) for metric, values in by.items()]
        speed = [f"{rates[solver]:,.0f}"] if rates else []
        rows.append([solver, *cells, *speed])
    headings = ["solver", *COLUMNS, *(["portfolios/s"] if rates else [])]
    return HtmlTable(headings, rows, [0], CAPTION)


def _point_table(found: list[Found], keys: list[str]) -> HtmlTable:
    by: dict[tuple[int, str], dict[str, Found]] = {}
    for f in found:
        by.setdefault((f.point, f.solver), {})[f.metric] = f
    rows = [
        [
            *(setting(of["value"].settings[key]) for key in keys),
            solver,
            f"{int(of['value'].summary.count):,}",
            *(_cell(metric, _mean(of[metric])) for metric in COLUMNS),
        ]
        for (_, solver), of in by.items()
    ]
    return HtmlTable([*keys, "solver", "portfolios", *COLUMNS], rows, [len(keys)])


def _mean(found: Found) -> float:
    return means(found.summary)["mean"]


def _average(values: Iterable[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else math.nan


def _cell(metric: str, value: float) -> str:
    if math.isnan(value):
        return "–"
    if metric in PER_CENT:
        return f"{100 * value:.2f} %"
    return "0" if abs(value) < 1e-12 else f"{value:.5g}"


def _worst(store: Store) -> Iterable[dict[str, Any]]:
    """The blocks with the worst single portfolios, and how to see them."""
    settings = _settings_of(store)
    losses = []
    for block, path in store.done().items():
        for row in store.read(path).to_pylist():
            if row["metric"] in ("loss", "gap") and row["count"] and row["solver"] != REFERENCE:
                losses.append((row["metric"], row["largest"], row["solver"], block))
    metric = "loss" if any(one[0] == "loss" for one in losses) else "gap"
    chosen = sorted((one for one in losses if one[0] == metric and one[1] > 1e-12), key=lambda one: -one[1])
    seen: dict[int, tuple[str, float, str, int]] = {}
    for one in chosen:
        seen.setdefault(one[3], one)
    found = [
        {"text": f"{solver} misses {share:.1%} ({settings(block)})", "command": _replay(store, block)}
        for _, share, solver, block in list(seen.values())[:WORST]
    ]
    if found:
        what = "of the proved optimum" if metric == "loss" else "of the certified bound"
        yield {
            "name": "worst",
            "title": "Worst portfolios",
            "text": f"The share {what} that is missed; the command solves the block again, names its worst "
            "portfolio, and stores each of them.",
            "instances": found,
        }


def _slowest(store: Store) -> Iterable[dict[str, Any]]:
    settings = _settings_of(store)
    seconds = {block: sum(times.values()) for block, times in store.seconds().items()}
    longest = sorted(seconds, key=lambda block: -seconds[block])[:SLOWEST]
    if longest:
        yield {
            "name": "slowest",
            "title": "Slowest blocks",
            "text": f"Seconds of all solvers for a block of {store.manifest['block']:,} portfolios.",
            "instances": [
                {"text": f"{seconds[block]:.2f} s ({settings(block)})", "command": _replay(store, block)}
                for block in longest
            ],
        }


def _settings_of(store: Store) -> Callable[[int], str]:
    points = list(read_grid(store.manifest["axes"]).points())
    each = store.manifest["blocks_per_point"]

    def settings(block: int) -> str:
        named = ", ".join(f"{key} {setting(value)}" for key, value in points[block // each].items())
        return f"block {block}{', ' if named else ''}{named}"

    return settings


def _replay(store: Store, block: int) -> str:
    return f"engine replay study={shlex.quote(str(store.folder))} block={block}"


def _machine(facts: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    device = facts["device"]
    return f"{versions}; {device['count']} × {device['kind']}, {facts['cores']} cores."


def _embedded(illustrations: Iterable[Illustration]) -> list[dict[str, str]]:
    """Figures as SVG within the page."""
    figures = []
    for illustration in illustrations:
        data = rendered(illustration.axes, "svg")
        source = "data:image/svg+xml;base64," + base64.b64encode(data).decode()
        figures.append({"name": illustration.name, "caption": illustration.caption, "source": source})
    return figures
