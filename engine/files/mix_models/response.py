"""One channel's response as all packages' readers give it, and the files that are written of them."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engine.files.draws import Draws, write_draws
from engine.files.mix_models.exports import is_blank, read_rows
from engine.files.mix_models.shapes import FAMILIES, FARTHEST, Numbers, Points, mean_points
from engine.files.reading import AS_IT_IS, Reading
from engine.files.tables import number


@dataclass(frozen=True)
class Response:
    """One channel: a family and its numbers, or points.

    `draws` holds the numbers of every posterior draw, where the file has them and `engine` the family. `last`
    is the effort where the points of a curve that goes on end, `spend` what was spent, `lower` and `upper`
    the bounds of what may be.
    """

    family: str
    numbers: dict[str, float] = field(default_factory=dict)
    points: Points = field(default_factory=list)
    draws: Numbers = field(default_factory=dict)
    last: float | None = None
    spend: float | None = None
    lower: float | None = None
    upper: float | None = None


def response_of(where: str, shape: str, numbers: Numbers, largest: float, spend: float | None) -> Response:
    """The response of a channel whose numbers are known by draw, each an array [draws] or of one number.

    **Raises:** `ValueError` that begins with `where`, for numbers that no curve has.
    """
    count = max(np.size(values) for values in numbers.values())
    draws = {name: np.broadcast_to(np.asarray(v, float), count) for name, v in numbers.items()}
    for name, values in draws.items():
        if not np.all(np.isfinite(values)):
            raise ValueError(f"{where} has numbers that are not finite, expected finite ones")
        if name != "midpoint" and np.any(values < 0 if name == "scale" else values <= 0):
            raise ValueError(f"{where} has {name} {values.min():g}, expected numbers above 0")
    mean = {name: float(np.mean(values)) for name, values in draws.items()}
    kept = draws if shape in FAMILIES and count > 1 else {}
    if shape == "linear":
        far = FARTHEST * largest
        return Response("tabulated", points=[(0.0, 0.0), (far, mean["scale"] * far)], spend=spend)
    if shape in FAMILIES and all(np.ptp(draws[name]) == 0 for name in draws if name != "scale"):
        return Response(shape, mean, draws=kept, spend=spend)  # the mean of such curves is one of them
    points, flat = mean_points(shape, draws, largest)
    last = None if flat else points[-1][0]
    return Response(shape if kept else "tabulated", points=points, draws=kept, last=last, spend=spend)


def bound(
    responses: dict[str, Response], path: Path | None, bounded: bool, how: Reading = AS_IT_IS
) -> dict[str, Response]:
    """Responses with the user's bounds, from a table of channel, lower and upper; where points end before the
    curve does, the last one bounds the effort too, unless `bounded` is false.

    **Raises:** `ValueError` in one line naming the file.
    """
    given = _read_bounds(path, list(responses), how) if path else {}
    ends = [
        f"{name} at {response.last:g}" for name, response in responses.items() if response.last is not None
    ]
    if ends:
        then = (
            "which bounds them (bounded=false lifts that)"
            if bounded
            else "beyond which they are taken as flat"
        )
        warnings.warn(f"curves end before they level off: {', '.join(ends)}, {then}", stacklevel=2)
    found = {}
    for name, response in responses.items():
        lower, upper = given.get(name, (None, None))
        if response.last is not None and bounded:
            upper = response.last if upper is None else min(upper, response.last)
        if lower is not None and upper is not None and lower > upper:
            raise ValueError(f"{name}: lower is {lower:g}, expected at most upper, which is {upper:g}")
        found[name] = dataclasses.replace(response, lower=lower, upper=upper)
    return found


def _read_bounds(path: Path, known: list[str], how: Reading) -> dict[str, tuple[float | None, float | None]]:
    bounds: dict[str, tuple[float | None, float | None]] = {}
    for row in read_rows(path, how):
        if "channel" not in row or not {"lower", "upper"} & set(row):
            raise ValueError(f"{path}: expected columns channel, lower and upper")
        name = str(row["channel"])
        if name not in known:
            raise ValueError(f"{path}: has channel {name!r}, expected one of {', '.join(known)}")
        lower, upper = (
            None if is_blank(row.get(key)) else number(row[key], f"{path}: {key} of {name}", finite=True)
            for key in ("lower", "upper")
        )
        bounds[name] = (lower, upper)
    return bounds


def portfolio_rows(responses: dict[str, Response]) -> Iterable[list[Any]]:
    """The rows of a portfolio file, its header first: points, numbers of families, or, of some channels each,
    both in one."""
    bounds = [
        key for key in ("lower", "upper") if any(getattr(r, key) is not None for r in responses.values())
    ]
    if all(response.points for response in responses.values()):
        yield ["project", "effort", "performance", *bounds]
        for name, response in responses.items():
            limits = [_cell(getattr(response, key)) for key in bounds]
            yield from ([name, repr(x), repr(y), *limits] for x, y in response.points)
        return
    rows = {name: {"family": r.family, **r.numbers} for name, r in responses.items()}
    for name, response in responses.items():
        if response.points:
            points, values = zip(*response.points, strict=True)
            rows[name] = {"family": "tabulated", "points": points, "values": values}
        rows[name] |= {key: getattr(response, key) for key in bounds}
    columns = list(dict.fromkeys(key for row in rows.values() for key in row))
    columns = [key for key in columns if key not in bounds] + bounds
    yield ["project", *columns]
    for name, row in rows.items():
        yield [name, *(_cell(row.get(key)) for key in columns)]


def _cell(value: Any) -> str:
    if isinstance(value, tuple):
        return ";".join(map(repr, value))
    return "" if value is None else value if isinstance(value, str) else repr(float(value))


def write_posterior(path: Path, responses: dict[str, Response]) -> None:
    """The draws of all channels, as `scenario=fitted` reads them."""
    shape = len(next(iter(responses.values())).draws["scale"]), len(responses)
    draws: dict[str, dict[str, np.ndarray]] = {}
    for place, response in enumerate(responses.values()):
        for name, values in {**response.draws, "baseline": np.zeros(shape[0])}.items():
            numbers = draws.setdefault(response.family, {}).setdefault(name, np.full(shape, np.nan))
            numbers[:, place] = values
    own = [list(draws).index(response.family) for response in responses.values()]
    write_draws(path, tuple(responses), Draws(np.broadcast_to(np.array(own, np.int32), shape), draws))
