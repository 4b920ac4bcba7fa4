"""The report as one HTML file: question, findings, figures, tables, instances to look at, configuration.

Nothing in the file comes from elsewhere: figures are SVG within it, and it opens without a network, on a
phone and on paper. What comes from users is escaped. Needs `engine[figures]`.
"""

from __future__ import annotations

import base64
import math
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jinja2
import yaml

from engine._version import __version__
from engine.figures.gallery import Illustration, illustrate_study
from engine.figures.style import rendered
from engine.simulation.methods import aim, reference
from engine.simulation.summaries import Summary, means, standard_error
from engine.study.columns import SHOWN, Column
from engine.study.grid import write_grid
from engine.study.results import Found, summaries
from engine.study.store import Progress
from engine.study.study import Study
from engine.study.words import rate_text, setting_text

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
        question=question or manifest.question or _question(study),
        extent=f"{points if several else ''}{portfolios:,} portfolios, seed {manifest.run['seed']}.",
        warnings=_warnings(found, progress),
        findings=_findings(found),
        figures=_embedded(illustrate_study(study)),
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
        again=f"engine textbook run.portfolios={portfolios} run.seed={seed}",
        machine=_machine(facts),
    )


def _render(template: str, **parts: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("engine.report"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template(template).render(version=__version__, **parts)


def _question(study: Study) -> str:
    """What the study asks, in words, where its author did not say."""
    manifest = study.manifest
    over = f", over {' and '.join(manifest.keys)}" if manifest.keys else ""
    asked = f"How do {', '.join(manifest.solvers)} allocate{over}, and what do they miss?"
    scenario = manifest.config.get("scenario")
    return f"{asked} The scenario: {scenario.get('description') or scenario['name']}." if scenario else asked


def _findings(found: list[Found]) -> list[str]:
    """What the numbers say first: who loses how much, and where the frontier is reached."""
    lines, solvers = _worth_of_looks(found), {f.solver for f in found}
    best = reference(solvers)
    for solver in dict.fromkeys(f.solver for f in found if f.solver != best):
        losses = [
            f.summary for f in found if f.solver == solver and f.metric == "loss" and float(f.summary.count)
        ]
        if losses:
            mean = [float(summary.mean) for summary in losses]
            largest = max(float(summary.largest) for summary in losses)
            each = _range(mean, lambda share: f"{max(share, 0.0):.2%}")
            lines.append(
                f"{solver} misses {each} of the {aim(solvers)} on average, {max(largest, 0):.1%} at worst."
            )
    proved: dict[str, list[float]] = {}
    for f in found:
        if f.metric == "proved":
            proved.setdefault(f.solver, []).append(float(f.summary.mean))
    lines += [
        f"{solver} proves {_range(shares, lambda share: f'{share:.1%}')} of its answers optimal."
        for solver, shares in proved.items()
        if not planned(found)
    ]
    shown = best if any(f.solver == best for f in found) else found[-1].solver
    chances = [f for f in found if f.metric == "frontier" and f.solver == shown]
    if len(chances) > 1:
        most = sum(float(f.summary.mean) > 0.5 for f in chances)
        lines.append(f"At {most} of {len(chances)} points most portfolios have a project at the frontier.")
    return lines


def planned(found: list[Found]) -> bool:
    """Whether these are of plans."""
    return any(f.metric == "over_static" for f in found)


def _worth_of_looks(found: list[Found]) -> list[str]:
    """Of plans: what re-planning is worth, and where more than a larger budget without it."""
    lines = []
    for solver in dict.fromkeys(f.solver for f in found if f.solver not in ("static", "clairvoyant")):
        mine = [f for f in found if f.solver == solver and float(f.summary.count) > 1]
        gains = [float(f.summary.mean) for f in mine if f.metric == "over_static"]
        if not gains:
            continue
        sure = [surely_above(f.summary) for f in mine if f.metric == "over_richer"]
        each = _range(gains, lambda gain: f"{gain:.3g}")
        where = (
            f"at {sum(sure)} of {len(sure)} points" if len(sure) > 1 else "sure" if any(sure) else "not sure"
        )
        lines.append(
            f"{solver} returns {each} more than a plan that is never revised; more than such a plan with the "
            f"larger budget: {where}, by two standard errors."
        )
    return lines


def surely_above(summary: Summary) -> bool:
    """Whether a mean is above 0 by two standard errors."""
    return float(summary.mean) > 2.0 * standard_error(summary)


def _columns(found: list[Found]) -> tuple[Column, ...]:
    return SHOWN["plan" if planned(found) else "portfolio"].means


def _range(numbers: list[float], show: Callable[[float], str]) -> str:
    low, high = show(min(numbers)), show(max(numbers))
    return low if low == high else f"{low} to {high}"


def solver_table(found: list[Found], rates: Mapping[str, float] | None = None) -> HtmlTable:
    """One row a solver: the mean over all points, which all have as many portfolios."""
    rows = []
    for solver in dict.fromkeys(f.solver for f in found):
        means_of: dict[str, list[float]] = {}
        for f in found:
            if f.solver == solver:
                means_of.setdefault(f.metric, []).append(_mean(f))
        averages = {metric: {"mean": _average(numbers)} for metric, numbers in means_of.items()}
        speed = [rate_text(rates.get(solver, math.nan))] if rates else []
        rows.append([solver, *(column.text(solver, averages) for column in _columns(found)), *speed])
    headings = [column.heading for column in _columns(found)]
    caption = PLANS_CAPTION if planned(found) else CAPTION
    return HtmlTable(["solver", *headings, *(["portfolios/s"] if rates else [])], rows, [0], caption)


def _point_table(found: list[Found], keys: Sequence[str]) -> HtmlTable:
    by: dict[tuple[int, str], dict[str, Found]] = {}
    for f in found:
        by.setdefault((f.point, f.solver), {})[f.metric] = f
    rows = []
    for (_, solver), of in by.items():
        value, statistics = of["value"], {metric: {"mean": _mean(f)} for metric, f in of.items()}
        rows.append(
            [
                *(setting_text(value.settings[key]) for key in keys),
                solver,
                f"{int(value.summary.count):,}",
                *(column.text(solver, statistics) for column in _columns(found)),
            ]
        )
    headings = [*keys, "solver", "portfolios", *(column.heading for column in _columns(found))]
    return HtmlTable(headings, rows, [len(keys)])


def _mean(found: Found) -> float:
    return means(found.summary)["mean"]


def _average(values: Iterable[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else math.nan


def _worst(study: Study) -> Iterable[dict[str, Any]]:
    """The blocks with the worst single portfolios, and how to see them."""
    losses, best = [], reference(study.manifest.solvers)
    for block, path in study.store.done().items():
        for row in summaries(study.store.read(path)):
            if row["metric"] in ("loss", "gap") and row["count"] and row["solver"] != best:
                losses.append((row["metric"], row["largest"], row["solver"], block))
    metric = "loss" if any(one[0] == "loss" for one in losses) else "gap"
    chosen = sorted((one for one in losses if one[0] == metric and one[1] > 1e-12), key=lambda one: -one[1])
    seen: dict[int, tuple[str, float, str, int]] = {}
    for one in chosen:
        seen.setdefault(one[3], one)
    found = [
        {"text": f"{solver} misses {share:.1%} ({_settings(study, block)})", "command": _replay(study, block)}
        for _, share, solver, block in list(seen.values())[:WORST]
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


def _slowest(study: Study) -> Iterable[dict[str, Any]]:
    seconds = {block: sum(times.values()) for block, times in study.store.seconds().items()}
    longest = sorted(seconds, key=lambda block: -seconds[block])[:SLOWEST]
    if longest:
        yield {
            "name": "slowest",
            "title": "Slowest blocks",
            "text": f"Seconds of all solvers for a block of {study.manifest.block:,} portfolios.",
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


def _embedded(illustrations: Iterable[Illustration]) -> list[dict[str, str]]:
    """Figures as SVG within the page."""
    figures = []
    for illustration in illustrations:
        data = rendered(illustration.axes, "svg")
        source = "data:image/svg+xml;base64," + base64.b64encode(data).decode()
        figures.append({"name": illustration.name, "caption": illustration.caption, "source": source})
    return figures
