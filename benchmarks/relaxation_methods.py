"""Ways to climb a portfolio's value, in equal time: why the relaxation steps as it does.

    python -m benchmarks.relaxation_methods        N=20, B=300; results/relaxation_methods.json

All start from the equal split of portfolios drawn with a seed that nothing was tuned on, and are given the
time of 5, 20 and 60 steps of the relaxation, and of the relaxation as packaged: it stops by its gap, and on
S-shaped curves it has many starts. Compilation is not counted. The units of the problem are taken out of a
first-order step (by B/N and the mean slope at the equal split); one factor then scales it on both sets, that
of FACTORS with the least mean logarithm of the gap after TUNING_STEPS steps, on other draws of both.

Gaps are relative: to water-filling for concave portfolios; for S-shaped ones to the best value that any
method here or the exact integer optimum attains, and to the certified bound.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import engine
from benchmarks.machine import save
from benchmarks.relaxation import CONCAVE, TWENTY, draw
from benchmarks.relaxation import seconds as timed
from engine.solvers.relaxation import advance, feasible_set, set_out

PORTFOLIOS, TUNED_ON, ROUNDS, FITS = 512, 128, 5, 2
SEED, TUNING_SEED = 2026, 7
OWN_STEPS = (5, 20, 60)
TUNING_STEPS = 50
FACTORS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
LEAST_GAP = 1e-16
OWN, PACKAGED = "osculating logs", "relaxation as packaged"
SETS = {
    "log, power, exponential": CONCAVE["log, power, exponential"],
    "hill, exponent 1 to 4": (
        "scenario=s_shaped",
        "curves@scenario.curves=hill",
        "scenario.curves.hill.parameters.exponent.low=1.0",
        *TWENTY,
    ),
}
Vector = jax.Array


class Method(NamedTuple):
    """start(portfolio, budget, factor), step(portfolio, budget, factor, state), effort(budget, state)."""

    start: Callable[..., Any]
    step: Callable[..., Any]
    effort: Callable[..., Vector]
    scaled: bool = True


def equal_split(portfolio: engine.Portfolio, budget: Vector, *_: Any) -> Vector:
    """x_i = B/N."""
    return jnp.full(portfolio.shape[-1], budget / portfolio.shape[-1])


def unit_slope(portfolio: engine.Portfolio, budget: Vector) -> Vector:
    """The mean slope at the equal split: by it and by B/N a step is free of units."""
    return jnp.mean(portfolio.slope(equal_split(portfolio, budget)))


def projected_gradient() -> Method:
    """x ← P(x + η ∇V) with P onto the simplex Σ x = B, η = factor · (B/N) / mean slope."""

    def start(portfolio: Any, budget: Any, factor: Any) -> Any:
        length = budget / portfolio.shape[-1] / unit_slope(portfolio, budget)
        return equal_split(portfolio, budget), factor * length

    def step(portfolio: Any, budget: Any, factor: Any, state: Any) -> Any:
        effort, length = state
        climbed = effort + length * portfolio.slope(effort)
        return optax.projections.projection_simplex(climbed, budget), length

    return Method(start, step, lambda budget, state: state[0])


def exponentiated_gradient() -> Method:
    """Mirror descent in entropy: x ← B softmax(log x + η ∇V), η = factor / mean slope."""

    def start(portfolio: Any, budget: Any, factor: Any) -> Any:
        split = equal_split(portfolio, budget)
        return jnp.log(split), split, factor / unit_slope(portfolio, budget)

    def step(portfolio: Any, budget: Any, factor: Any, state: Any) -> Any:
        logarithm, effort, length = state
        logarithm = jax.nn.log_softmax(logarithm + length * portfolio.slope(effort)) + jnp.log(budget)
        return logarithm, jnp.exp(logarithm), length

    return Method(start, step, lambda budget, state: state[1])


def softmax_loss(portfolio: engine.Portfolio, budget: Vector, unit: Vector) -> Callable[[Vector], Vector]:
    """−V in softmax coordinates, in units of B · mean slope."""
    return lambda z: -portfolio.value(budget * jax.nn.softmax(z)) / unit


def on_softmax(begin: Callable[[Vector], Any], move: Callable[..., Any], scaled: bool) -> Method:
    """A method without constraints, on x = B softmax(z) from z = 0."""

    def start(portfolio: Any, budget: Any, factor: Any) -> Any:
        z = jnp.zeros(portfolio.shape[-1], portfolio.dtype)
        return z, begin(z), budget * unit_slope(portfolio, budget)

    def step(portfolio: Any, budget: Any, factor: Any, state: Any) -> Any:
        z, memory, unit = state
        update, memory = move(softmax_loss(portfolio, budget, unit), factor, z, memory)
        return z + update, memory, unit

    return Method(start, step, lambda budget, state: budget * jax.nn.softmax(state[0]), scaled)


def softmax_adam() -> Method:
    """Adam, learning rate = factor."""

    def move(loss: Any, factor: Any, z: Any, memory: Any) -> Any:
        return optax.adam(factor).update(jax.grad(loss)(z), memory, z)

    return on_softmax(optax.adam(1.0).init, move, scaled=True)


def quasi_newton() -> Method:
    """L-BFGS with optax's zoom line search: no length to choose."""
    optimiser = optax.lbfgs()

    def move(loss: Any, factor: Any, z: Any, memory: Any) -> Any:
        value, slope = optax.value_and_grad_from_state(loss)(z, state=memory)
        return optimiser.update(slope, memory, z, value=value, grad=slope, value_fn=loss)

    return on_softmax(optimiser.init, move, scaled=False)


def osculating_logs() -> Method:
    """The relaxation's own step, from the equal split."""

    def start(portfolio: Any, budget: Any, factor: Any) -> Any:
        box = feasible_set(portfolio, budget)
        return set_out(portfolio, box, equal_split(portfolio, budget))

    def step(portfolio: Any, budget: Any, factor: Any, state: Any) -> Any:
        return advance(portfolio, feasible_set(portfolio, budget), state)

    return Method(start, step, lambda budget, state: state.best.effort, scaled=False)


METHODS = {
    OWN: osculating_logs(),
    "projected gradient": projected_gradient(),
    "exponentiated gradient": exponentiated_gradient(),
    "softmax, adam": softmax_adam(),
    "softmax, l-bfgs": quasi_newton(),
}


def contender(method: Method) -> Callable[[engine.Portfolio, float, float, int], np.ndarray]:
    """(portfolios, budget, factor, steps) → their values; one compilation for every number of steps."""

    def one(portfolio: Any, budget: Any, factor: Any, steps: Any) -> Any:
        def step(_: Any, state: Any) -> Any:
            return method.step(portfolio, budget, factor, state)

        state = jax.lax.fori_loop(0, steps, step, method.start(portfolio, budget, factor))
        return portfolio.value(method.effort(budget, state))

    run = jax.jit(jax.vmap(one, in_axes=(0, None, None, None)))
    return lambda *given: np.asarray(run(*given))


def seconds(run: Callable[[], object]) -> float:
    """The median of a few calls after a first one, which may compile."""
    run()
    return statistics.median(timed(run) for _ in range(ROUNDS))


def fitting_steps(run: Callable[[int], object], limit: float) -> tuple[int, float]:
    """(steps that take about as long as `limit`, seconds they took)."""
    steps, taken = 10, seconds(lambda: run(10))
    for _ in range(FITS):
        steps = max(1, round(steps * limit / taken))
        taken = seconds(lambda steps=steps: run(steps))
    return steps, taken


def choose_factors(runs: dict[str, Any]) -> dict[str, float]:
    """The factors with the least mean logarithm of the gap over the portfolios tuned on."""
    drawn = [draw(overrides, TUNED_ON, TUNING_SEED) for overrides in SETS.values()]
    tuned_on = [(portfolio, budget, best_known(portfolio, budget)[0]) for portfolio, budget in drawn]

    def score(run: Any, factor: float) -> float:
        gaps = [1.0 - run(p, b, factor, TUNING_STEPS) / best for p, b, best in tuned_on]
        found = float(np.mean(np.log(np.maximum(gaps, LEAST_GAP))))
        return found if np.isfinite(found) else np.inf

    factors = dict.fromkeys(METHODS, 1.0)
    for name, method in METHODS.items():
        if method.scaled:
            factors[name] = min(FACTORS, key=lambda factor, run=runs[name]: score(run, factor))
            print(f"{name}: factor {factors[name]:g}", flush=True)
    return factors


def best_known(portfolio: engine.Portfolio, budget: float) -> tuple[np.ndarray, np.ndarray]:
    """(the best value that a solver finds, a bound on any)."""
    real = engine.allocate(portfolio, budget, "relaxation", rounding=False)
    exact = engine.allocate(portfolio, budget, "exact").value
    filled = engine.allocate(portfolio, budget, "waterfilling")
    return np.maximum.reduce([real.value, exact, filled.value]), np.minimum(real.bound, filled.bound)


def compare(
    portfolio: engine.Portfolio, budget: float, runs: dict[str, Any], factors: dict[str, float]
) -> dict[str, Any]:
    """Steps, seconds and gaps of every method, by the time that it is given."""

    def packaged() -> np.ndarray:
        return engine.allocate(portfolio, budget, "relaxation", rounding=False).value

    attained, bound = best_known(portfolio, budget)
    rows: list[tuple[str, str, int, float, np.ndarray]] = []
    for own_steps in (*OWN_STEPS, 0):
        given = f"{own_steps} steps" if own_steps else PACKAGED
        own = partial(runs[OWN], portfolio, budget, 1.0, own_steps)
        limit = seconds(own if own_steps else packaged)
        if own_steps == 0:
            rows.append((PACKAGED, given, 0, limit, packaged()))
        for name, run in runs.items():
            climb = partial(run, portfolio, budget, factors[name])
            exactly = name == OWN and own_steps
            steps, taken = (own_steps, limit) if exactly else fitting_steps(climb, limit)
            rows.append((name, given, steps, taken, climb(steps)))
    best = attained
    if not portfolio.diminishing:
        best = np.maximum.reduce([attained, *(value for *_, value in rows)])
    found: dict[str, Any] = {}
    for name, given, steps, taken, value in rows:
        row = {"steps": steps, "microseconds_per_portfolio": round(1e6 * taken / PORTFOLIOS, 2)}
        found.setdefault(f"time of {given}", {})[name] = row | gaps(value, best, bound)
    return found


def gaps(value: np.ndarray, best: np.ndarray, bound: np.ndarray) -> dict[str, float]:
    """Relative, to the best known and to the certified bound; NaN counts as nothing gained."""
    gap, certified = (1.0 - np.nan_to_num(value) / other for other in (best, bound))
    return {
        "median_gap": float(np.median(gap)),
        "worst_gap": float(np.max(gap)),
        "median_gap_to_bound": float(np.median(certified)),
    }


def main() -> None:
    """Choose factors, measure, print, save."""
    jax.config.update("jax_enable_x64", True)
    runs = {name: contender(method) for name, method in METHODS.items()}
    factors = choose_factors(runs)
    scaled = {name: factors[name] for name, method in METHODS.items() if method.scaled}
    figures: dict[str, Any] = {"portfolios": PORTFOLIOS, "seed": SEED, "factors": scaled, "sets": {}}
    for name, overrides in SETS.items():
        figures["sets"][name] = compare(*draw(overrides, PORTFOLIOS, SEED), runs, factors)
        for given, rows in figures["sets"][name].items():
            print(f"{name}, {given}")
            for method, row in rows.items():
                print(
                    f"    {method:24s}{row['steps']:6d} steps{row['microseconds_per_portfolio']:8.1f} µs"
                    f"   gap: median {row['median_gap']:8.1e}, worst {row['worst_gap']:8.1e}",
                    flush=True,
                )
    print(f"saved {save('relaxation_methods', figures)}")


if __name__ == "__main__":
    main()
