"""Robyn, in R and in Python: β·x^α / (x^α + i^α) of spend carried over, of one model among those exported.

The inflexion i is (1 − γ)·least + γ·largest spend after carry-over in the window that was modelled. Robyn
writes it from 3.12 on; of what earlier versions and robynpy write, it is computed from
`pareto_media_transform_matrix.csv`. Variables without a total_spend are organic: nobody can buy them, so they
are left out.

Sources: Robyn 3.12 (`saturation_hill`, `adstock_geometric`, `robyn_csv`, `robyn_pareto`), robynpy 0.3.6
(`allocator.py`).
"""

from __future__ import annotations

import warnings
from pathlib import Path

from engine.files.mix_models.exports import Row, is_blank, positive, read_rows
from engine.files.mix_models.response import Response
from engine.files.reading import AS_IT_IS, Reading
from engine.files.tables import number

TABLE, SUMS, MEDIA = (
    "pareto_hyperparameters.csv",
    "pareto_aggregated.csv",
    "pareto_media_transform_matrix.csv",
)
# As Robyn names it, and as robynpy does.
NAMES_OF_MODELS = ("solID", "sol_id")


def load_robyn(folder: Path, model: str | None = None, how: Reading = AS_IT_IS) -> dict[str, Response]:
    """The paid channels of one model among those that Robyn exported to a folder, by `robyn_csv`.

    **Arguments:** `model`, its solID; the only one if there is only one; `how` its tables are read.

    **Warns:** of variables without spend, which are left out.

    **Raises:** `ValueError` in one line naming the file, what is wrong and what was expected.
    """
    path = folder / TABLE
    model, (numbers, *_) = _of_model(path, model, how)
    path_of_sums = folder / SUMS
    sums = {str(row.get("rn")): row for row in _of_model(path_of_sums, model, how)[1]}
    channels = [key.removesuffix("_alphas") for key in numbers if key.endswith("_alphas")]
    if not channels:
        raise ValueError(f"{path}: has no column that ends in _alphas, expected one for each channel")
    responses, organic = {}, []
    for channel in channels:
        if channel not in sums:
            raise ValueError(f"{path_of_sums}: has no row with rn {channel}, expected its coef")
        row = sums[channel]
        if "total_spend" in row and is_blank(row["total_spend"]):
            organic.append(channel)
            continue
        gain = _gain(channel, numbers, path)
        hill = {
            "scale": number(row["coef"], f"{path_of_sums}: coef of {channel}", finite=True),
            "half": _inflexion(channel, numbers, folder, model, how) / gain,
            "exponent": positive(numbers, f"{channel}_alphas", path),
        }
        if hill["scale"] < 0:
            raise ValueError(f"{path_of_sums}: coef of {channel} is {hill['scale']:g}, expected at least 0")
        mean = row.get("mean_spend")
        spend = None if is_blank(mean) else number(mean, f"{path_of_sums}: mean_spend", finite=True)
        responses[channel] = Response("hill", hill, spend=spend)
    if organic:
        warnings.warn(f"{', '.join(organic)}: organic, without spend to allocate, left out", stacklevel=2)
    if not responses:
        raise ValueError(f"{path_of_sums}: has total_spend of no channel, expected that of one at least")
    return responses


def _of_model(path: Path, model: str | None, how: Reading) -> tuple[str, list[Row]]:
    """(name, rows) of a model, which is chosen by its solID."""
    rows = read_rows(path, how)
    key = next((name for name in NAMES_OF_MODELS if name in rows[0]), None)
    if key is None:
        raise ValueError(f"{path}: has no column solID, expected a file that Robyn wrote")
    models = list(dict.fromkeys(str(row[key]) for row in rows))
    if model is None and len(models) > 1:
        some = ", ".join(models[:3])
        raise ValueError(f"{path}: has {len(models)} models, expected model=... to name one of {some}, ...")
    # Hydra reads 1_123_4 as the number 11234 where it is not quoted.
    wanted = [m for m in models if model in (None, m, m.replace("_", ""))]
    if not wanted:
        raise ValueError(f"{path}: has no model {model}, expected one of {', '.join(models[:3])}")
    return wanted[0], [row for row in rows if str(row[key]) == wanted[0]]


def _gain(channel: str, numbers: Row, path: Path) -> float:
    """How many times a steady budget counts after carry-over."""
    if f"{channel}_thetas" in numbers:
        theta = number(numbers[f"{channel}_thetas"], f"{path}: {channel}_thetas", finite=True)
        if not 0 <= theta < 1:
            raise ValueError(f"{path}: {channel}_thetas is {theta:g}, expected a share below 1")
        return 1.0 / (1.0 - theta)
    # Weibull carry-over: Robyn notes what it made of the spend that was there.
    return positive(numbers, f"{channel}_inflation", path)


def _inflexion(channel: str, numbers: Row, folder: Path, model: str, how: Reading) -> float:
    """The spend after carry-over that gives half, as written or from gamma and the range."""
    path, media = folder / TABLE, folder / MEDIA
    if not is_blank(numbers.get(f"{channel}_inflexion")):
        return positive(numbers, f"{channel}_inflexion", path)
    if not media.is_file():
        raise ValueError(
            f"{path}: has no column {channel}_inflexion, which Robyn writes from 3.12 on, expected it, or "
            f"{MEDIA} beside it (OutputCollect$mediaVecCollect; robynpy's media_vec_collect)"
        )
    _, rows = _of_model(media, model, how)
    if not all(key in rows[0] for key in ("type", channel)):
        raise ValueError(f"{media}: has no columns type and {channel}, expected both")
    # Carry-over is noted of all periods, and saturation of those in the window that was modelled.
    window = {str(row.get("ds")) for row in rows if row["type"] == "saturatedMedia"}
    carried = [
        number(row[channel], f"{media}: {channel}", finite=True)
        for row in rows
        if row["type"] == "adstockedMedia" and (not window or str(row.get("ds")) in window)
    ]
    if not carried or max(carried) <= 0:
        raise ValueError(f"{media}: has no adstockedMedia of {channel} above 0, expected its periods")
    gamma = number(numbers.get(f"{channel}_gammas"), f"{path}: {channel}_gammas", finite=True)
    return (1.0 - gamma) * min(carried) + gamma * max(carried)
