"""The report as one HTML file: question, findings, figures, tables, instances to look at, configuration.

Nothing in the file comes from elsewhere: figures are SVG within it, and it opens without a network, on a
phone and on paper. What comes from users is escaped. Needs `engine[figures]`.
"""

from __future__ import annotations

import base64
import csv
import io
import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jinja2
import numpy as np
import yaml

from engine._version import __version__
from engine.figures.gallery import Data, Illustration
from engine.figures.study_gallery import illustrate_study
from engine.figures.style import themed
from engine.report.findings import findings, planned, question_of
from engine.simulation.methods import aim, reference
from engine.simulation.summaries import LEAST
from engine.study.columns import SHOWN, Column
from engine.study.grid import write_grid
from engine.study.results import Found, summaries
from engine.study.store import Progress
from engine.study.study import Study
from engine.study.words import percent_text, rate_text, sentence, setting_text

WORST, SLOWEST = 5, 5

CAPTION = (
    "Means over portfolios. gap: certified, (bound − value)/|bound|. loss: share of the proved optimum "
    "missed. optimal, proved: share of portfolios. frontier: chance that some project reaches it."
)
PLANS_CAPTION = (
    "Means over portfolios. regret: what the clairvoyant returns more. − equal, static, richer: paired "
    "differences to equal split, and to a static plan on the budget and on some more. dropped, sunk, first: "
    "projects that get nothing in the last quarter though they had something, what was spent on them, and "
    "the first period after which. frontier: chance that some project reaches it."
)


@dataclass(frozen=True)
class HtmlTable:
    """Cells of text; `texts` are the columns that are words."""

    headings: list[str]
    rows: list[list[str]]
    texts: list[int] = field(default_factory=list)
    caption: str = ""


def study_page(study: Study, question: str | None = None) -> str:
    """The report of a study, finished or not."""
    manifest, found, progress = study.manifest, study.found, study.store.progress()
    several = manifest.points > 1
    portfolios = int(max((float(f.summary.count) for f in found), default=0.0))
    points = f"{manifest.points:,} point{'s' * several} of "
    return _render(
        "report.html",
        title=f"{manifest.title}: {' × '.join(manifest.keys) or f'budget {study.point(0).budget:g}'}",
        question=question or manifest.question or question_of(study),
        extent=f"{points if several else ''}{portfolios:,} portfolios, seed {manifest.run['seed']}.",
        warnings=_warnings(found, progress),
        findings=findings(found),
        figures=_embedded(illustrate_study(study)),
        words=words_of(f.solver for f in found),
        solvers=solver_table(found, study.rates()),
        points=_point_table(found, manifest.keys) if len({f.point for f in found}) > 1 else None,
        instances=[*_worst(study), *_slowest(study)],
        again=shlex.join(["engine", manifest.command, *(o.lstrip("+") for o in manifest.overrides)]),
        configuration=yaml.safe_dump(
            {**manifest.config, "grid": write_grid(manifest.grid)}, sort_keys=False, allow_unicode=True
        ),
        machine=_machine({"versions": manifest.versions, "device": manifest.device, "cores": manifest.cores}),
    )


def _warnings(found: list[Found], progress: Progress) -> list[str]:
    lines = []
    if progress.left or progress.failed:
        there = f"{progress.done:,} of {progress.blocks:,} blocks are there, {progress.failed:,} failed"
        lines.append(f"Not finished: {there}.")
    unsolved: dict[str, int] = {}
    for f in found:
        if f.metric == "value":
            unsolved[f.solver] = unsolved.get(f.solver, 0) + f.unsolved
    return [*lines, *(f"{s}: {n:,} portfolios were not solved." for s, n in unsolved.items() if n)]


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
        words=words_of(("exact", "greedy", "density", "relaxation")),
        again=f"engine textbook run.portfolios={portfolios} run.seed={seed}",
        machine=_machine(facts),
    )


# What the words of a page mean, of the solvers those that it tells of.
WORDS = {
    "exact": "exact: the optimum, by a proof.",
    "greedy": "greedy: unit by unit to the project whose next unit gains most.",
    "cutoff": "cutoff: greedy's allocation, found by the gain at which it stops.",
    "density": "density: jump by jump to the largest gain per unit on average.",
    "relaxation": "relaxation: the best real effort, rounded.",
    "waterfilling": "waterfilling: real effort, where returns diminish the optimum.",
    "bound": "bound: what no allocation can exceed, and the effort that it suggests.",
}
ALWAYS = (
    "Frontier: a project's last stage.",
    "Shadow price: what one unit of budget more is worth.",
)


def words_of(solvers: Iterable[str]) -> str:
    """What the words of a page mean that tells of these solvers."""
    told = [sentence(WORDS[solver]) for solver in dict.fromkeys(solvers) if solver in WORDS]
    return " ".join([*told, *ALWAYS])


def _render(template: str, **parts: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("engine.report"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template(template).render(version=__version__, **parts)


def _columns(found: list[Found]) -> tuple[Column, ...]:
    return SHOWN["plan" if planned(found) else "portfolio"].means


def solver_table(found: list[Found], rates: Mapping[str, float] | None = None) -> HtmlTable:
    """One row a solver: the mean over all points, which all have as many portfolios."""
    columns = _columns(found)
    means_of: dict[str, dict[str, list[float]]] = {}
    for f in found:
        means_of.setdefault(f.solver, {}).setdefault(f.metric, []).append(_mean(f))
    rows = []
    for solver, of in means_of.items():
        averages = {metric: {"mean": _average(numbers)} for metric, numbers in of.items()}
        speed = [rate_text(rates.get(solver, math.nan))] if rates else []
        rows.append([solver, *(column.text(solver, averages) for column in columns), *speed])
    headings = [column.heading for column in columns]
    caption = PLANS_CAPTION if planned(found) else CAPTION
    return HtmlTable(["solver", *headings, *(["portfolios/s"] if rates else [])], rows, [0], caption)


def _point_table(found: list[Found], keys: Sequence[str]) -> HtmlTable:
    by: dict[tuple[int, str], dict[str, Found]] = {}
    for f in found:
        by.setdefault((f.point, f.solver), {})[f.metric] = f
    rows, columns = [], _columns(found)
    for (_, solver), of in by.items():
        value, statistics = of["value"], {metric: {"mean": _mean(f)} for metric, f in of.items()}
        rows.append(
            [
                *(setting_text(value.settings[key]) for key in keys),
                solver,
                f"{int(value.summary.count):,}",
                *(column.text(solver, statistics) for column in columns),
            ]
        )
    headings = [*keys, "solver", "portfolios", *(column.heading for column in columns)]
    return HtmlTable(headings, rows, [len(keys)])


def _mean(found: Found) -> float:
    return float(found.summary.mean) if float(found.summary.count) else math.nan


def _average(values: Iterable[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else math.nan


def _worst(study: Study) -> Iterable[dict[str, Any]]:
    """The blocks with the worst single portfolios, and how to see them."""
    best = reference(study.manifest.solvers)
    known = [f for f in study.found if f.solver != best and float(f.summary.count)]
    metric = "loss" if any(f.metric == "loss" for f in known) else "gap"
    largest: dict[int, float] = {}
    for f in known:
        if f.metric == metric:
            largest[f.point] = max(largest.get(f.point, 0.0), float(f.summary.largest))
    found = [
        {
            "text": f"{solver} misses {percent_text(share, 1)} ({_settings(study, block)})",
            "command": _replay(study, block),
        }
        for share, solver, block in _worst_blocks(study, metric, best, largest)
    ]
    if found:
        what = f"of the {aim(study.manifest.solvers)}" if metric == "loss" else "of the certified bound"
        yield {
            "name": "worst",
            "title": "Worst portfolios",
            "text": f"The share {what} that is missed; the command solves the block again, names its worst "
            "portfolio, and stores each of them.",
            "instances": found,
        }


def _worst_blocks(
    study: Study, metric: str, best: str, largest: Mapping[int, float]
) -> list[tuple[float, str, int]]:
    """(share, solver, block) of the worst blocks; only points are read that can have one of them."""
    blocks: dict[int, list[tuple[int, Any]]] = {}
    for block, path in study.store.done().items():
        blocks.setdefault(study.manifest.point_of(block), []).append((block, path))
    worst: list[tuple[float, str, int]] = []
    for point in sorted(largest, key=lambda point: -largest[point]):
        if largest[point] <= LEAST or (len(worst) >= WORST and worst[WORST - 1][0] >= largest[point]):
            break
        for block, path in blocks[point]:
            rows = [r for r in summaries(study.store.read(path)) if r["metric"] == metric and r["count"]]
            missed = [(row["largest"], row["solver"], block) for row in rows if row["solver"] != best]
            worst += sorted(missed, key=lambda one: -one[0])[:1]
        worst.sort(key=lambda one: -one[0])
    return [one for one in worst[:WORST] if one[0] > LEAST]


def _slowest(study: Study) -> Iterable[dict[str, Any]]:
    seconds = {block: sum(times.values()) for block, times in study.store.seconds().items()}
    count = min(study.manifest.block, study.manifest.portfolios)
    longest = sorted(seconds, key=lambda block: -seconds[block])[:SLOWEST]
    if longest:
        yield {
            "name": "slowest",
            "title": "Slowest blocks",
            "text": f"Seconds of all solvers for a block of {count:,} portfolios.",
            "instances": [
                {
                    "text": f"{seconds[block]:.2f} s ({_settings(study, block)})",
                    "command": _replay(study, block),
                }
                for block in longest
            ],
        }


def _settings(study: Study, block: int) -> str:
    """A block and the settings of its point in words."""
    settings = study.manifest.settings_of(block)
    return ", ".join([f"block {block}", *(f"{key} {setting_text(value)}" for key, value in settings.items())])


def _replay(study: Study, block: int) -> str:
    return f"engine replay study={shlex.quote(str(study.folder))} block={block}"


def _machine(facts: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    device = facts["device"]
    return f"{versions}; {device['count']} × {device['kind']}, {facts['cores']} cores."


def _embedded(illustrations: Iterable[Illustration]) -> list[dict[str, Any]]:
    """Figures as SVG within the page, and their numbers as CSV behind a link."""
    return [
        {
            "name": one.name,
            "caption": one.caption,
            "source": _link("image/svg+xml", themed(one.axes)),
            "data": _link("text/csv", _csv(one.data)),
            "rows": max(map(len, one.data.values()), default=0),
        }
        for one in illustrations
    ]


def _link(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _csv(data: Data) -> bytes:
    """Columns as a table, numbers to twelve digits: more than what is drawn is known to."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(data)
    columns = [_cells(column) for column in data.values()]
    writer.writerows(zip(*columns, strict=True))
    return text.getvalue().encode()


def _cells(column: Sequence[Any] | np.ndarray) -> list[Any]:
    values = column.tolist() if isinstance(column, np.ndarray) else column
    return [f"{value:.12g}" if isinstance(value, float) else value for value in values]
