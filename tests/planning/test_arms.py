"""Gaussian arms: published numbers, NumPy and SciPy in float64, high precision in the tail, properties."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal, localcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, special, stats

from engine.planning import arms
from engine.planning.arms import Gaussian

Array = np.ndarray
ROUNDED = 1e-13  # a dozen operations, half an ε of 2.2e-16 each, and what their conditioning makes of it
# A hundred ε, and the logarithm of the smallest number that is told to full precision.
ENDS = {jnp.float64: (2.3e-14, -700.0), jnp.float32: (1.2e-5, -80.0)}
SEEDS = st.integers(0, 2**32 - 1)

observe = jax.jit(arms.observe)
knowledge_gradient = jax.jit(arms.knowledge_gradient)
log_knowledge_gradient = jax.jit(arms.log_knowledge_gradient)
shares = jax.jit(arms.sample_shares)
allocate = jax.jit(arms.allocate_samples)
allocate_whole = jax.jit(arms.allocate_whole_samples)


def array(*values: Any, dtype: Any = jnp.float64) -> jax.Array:
    return jnp.asarray(values, dtype)


def draw(seed: int, count: int = 5) -> tuple[Gaussian, Array, Array]:
    """(belief, sampling variances, whole numbers of samples) over several orders of magnitude."""
    rng = np.random.default_rng(seed)
    variance, noise = np.exp(rng.normal(0.0, 2.0, (2, count)))
    belief = Gaussian(jnp.asarray(rng.normal(0.0, 2.0, count)), jnp.asarray(variance))
    return belief, jnp.asarray(noise), jnp.asarray(rng.integers(1, 30, count).astype(float))


# The update.


@given(SEEDS)
def test_the_update_is_the_textbook_formula(seed: int) -> None:
    belief, noise, samples = draw(seed)
    average = np.random.default_rng(seed).normal(size=5)
    new = observe(belief, jnp.asarray(average), noise, samples)
    precision = 1 / np.asarray(belief.variance) + np.asarray(samples / noise)
    mean = (np.asarray(belief.mean / belief.variance) + average * np.asarray(samples / noise)) / precision
    np.testing.assert_allclose(new.variance, 1 / precision, rtol=ROUNDED)
    np.testing.assert_allclose(new.mean, mean, rtol=ROUNDED, atol=ROUNDED)


@given(SEEDS, st.integers(1, 12))
def test_samples_in_turn_teach_what_they_teach_at_once(seed: int, count: int) -> None:
    belief, noise, _ = draw(seed)
    samples = np.random.default_rng(seed).normal(size=(count, 5))
    in_turn = belief
    for sample in samples:
        in_turn = observe(in_turn, jnp.asarray(sample), noise)
    at_once = observe(belief, jnp.asarray(samples.mean(0)), noise, float(count))
    np.testing.assert_allclose(in_turn.mean, at_once.mean, rtol=ROUNDED, atol=ROUNDED)
    np.testing.assert_allclose(in_turn.variance, at_once.variance, rtol=ROUNDED)


def test_the_ends_of_what_is_known() -> None:
    """Known, unknown and in between; sampled without noise, with it, and not at all, where ȳ is no number."""
    infinity, nan = math.inf, math.nan
    belief = Gaussian(array(1, 1, 1, 1, 1, 1, 1), array(0, infinity, 3, 0, infinity, 3, infinity))
    average, noise = array(5, 5, 5, 5, nan, nan, 5), array(2, 2, 0, 0, 2, 2, 0)
    new = observe(belief, average, noise, array(4, 4, 4, 4, 0, 0, 4))
    np.testing.assert_array_equal(new.mean, [1, 5, 5, 1, 1, 1, 5])
    np.testing.assert_array_equal(new.variance, [0, 0.5, 0, 0, infinity, 3, 0])
    worth = knowledge_gradient(belief, noise, array(4, 4, 4, 4, 0, 0, 4))
    np.testing.assert_allclose(
        worth, [0, infinity, math.sqrt(3 / 2 / math.pi), 0, 0, 0, infinity], rtol=ROUNDED
    )


def test_extreme_variances_neither_overflow_nor_vanish() -> None:
    belief = Gaussian(array(0, 0, dtype=jnp.float32), array(1e-30, 1e30, dtype=jnp.float32))
    new = observe(belief, array(1, 1, dtype=jnp.float32), array(1e30, 1e-30, dtype=jnp.float32))
    np.testing.assert_allclose(new.variance, [1e-30, 1e-30], rtol=1e-6)
    np.testing.assert_array_equal(new.mean, [0, 1])


# The knowledge gradient.


def best_after(belief: Gaussian, noise: Array, samples: Array, arm: int) -> tuple[float, float]:
    """(E[max μ'] − max μ by quadrature over one arm's new mean, its standard deviation)."""
    mean, variance = (np.asarray(values) for values in belief)
    deviation = variance[arm] / math.sqrt(variance[arm] + noise[arm] / samples[arm])
    others = max(np.delete(mean, arm))

    def gain(z: float) -> float:
        return (max(mean[arm] + deviation * z, others) - max(mean)) * stats.norm.pdf(z)

    kink = (others - mean[arm]) / deviation
    ends = [-40.0, *([kink] if abs(kink) < 40 else []), 40.0]
    parts = (integrate.quad(gain, *part, epsabs=1e-13, limit=200)[0] for part in itertools.pairwise(ends))
    return sum(parts), deviation


@pytest.mark.parametrize("seed", range(8))
def test_it_is_what_the_largest_mean_gains_on_average(seed: int) -> None:
    belief, noise, samples = draw(seed)
    worth = knowledge_gradient(belief, noise, samples)
    for arm in range(5):
        expected, deviation = best_after(belief, np.asarray(noise), np.asarray(samples), arm)
        # The quadrature's own error, of terms as large as the deviation.
        assert worth[arm] == pytest.approx(expected, rel=1e-9, abs=1e-10 * (1 + deviation))


def test_it_is_what_simulated_samples_gain() -> None:
    """The whole chain: a true mean, n samples of it, the update, the choice."""
    rng, count, n, looks = np.random.default_rng(7), 100_000, 3, 2
    belief, noise = Gaussian(array(0.5, 1.0, 0.2), array(1.0, 0.3, 2.0)), array(2.0, 1.0, 4.0)
    truth = rng.normal(belief.mean[looks], math.sqrt(belief.variance[looks]), count)
    samples = rng.normal(truth[:, None], math.sqrt(noise[looks]), (count, n))
    average = np.tile(np.asarray(belief.mean), (count, 1))
    average[:, looks] = samples.mean(1)
    taken = array(*(n if arm == looks else 0 for arm in range(3)))
    after = jax.jit(jax.vmap(arms.observe, (None, 0, None, None)))(belief, jnp.asarray(average), noise, taken)
    gain = np.asarray(after.mean).max(1) - 1.0
    error = gain.std() / math.sqrt(count)
    assert knowledge_gradient(belief, noise, float(n))[looks] == pytest.approx(gain.mean(), abs=4 * error)


def exact_log_improvement(x: float) -> float:
    """log f(−x) with 60 digits: by Taylor's series of Φ below 8, above it by 3,000 terms of the fraction."""
    with localcontext() as context:
        context.prec = 60
        point = Decimal(x)
        root_tau = (2 * Decimal("3.14159265358979323846264338327950288419716939937510582097494459")).sqrt()
        density = (-point * point / 2).exp() / root_tau
        if x < 8:
            term = total = point
            for k in range(1, 400):
                term = term * point * point / (2 * k + 1)
                total += term
            return float((density - point * (Decimal("0.5") - density * total)).ln())
        ratio = 1 / point
        for n in range(3000, 0, -1):
            ratio = 1 / (point + (n + 1) * ratio)
        return float((density * ratio / (point + ratio)).ln())


def test_the_reference_agrees_with_scipy_in_the_tail() -> None:
    """log f(−x) = log φ + log(1 − x·√(π/2)·erfcx(x/√2)), as far as that can be computed in float64."""
    for x in (0.5, 3.0, 7.9, 8.1, 20.0):
        mills = math.sqrt(math.pi / 2) * special.erfcx(x / math.sqrt(2))
        expected = stats.norm.logpdf(x) + math.log1p(-x * mills)
        assert exact_log_improvement(x) == pytest.approx(expected, abs=x * x * 1e-15 + 1e-14)


@pytest.mark.parametrize("dtype", ENDS, ids=("float64", "float32"))
def test_the_far_tail_does_not_cancel(dtype: Any) -> None:
    relative, least = ENDS[dtype]
    points = np.concatenate([np.linspace(0, 12, 49), [2.9999, 3.0001, 15, 20, 30, 37, 100, 1000]])
    x = jnp.asarray(points, dtype)
    expected = np.array([exact_log_improvement(float(value)) for value in np.asarray(x)])
    seen = expected > least
    # The exponential of x²/2 passes on its rounding: x²·ε of the result.
    size = relative * (1 + np.asarray(x, float)[seen] ** 2 / 100)
    worth = np.asarray(jax.jit(arms.improvement)(x), float)
    assert np.all(np.abs(worth[seen] / np.exp(expected[seen]) - 1) < size)
    np.testing.assert_allclose(jax.jit(arms.log_improvement)(x), expected, rtol=relative, atol=relative)


@pytest.mark.parametrize("dtype", ENDS, ids=("float64", "float32"))
def test_arms_are_told_apart_where_they_are_worth_nearly_nothing(dtype: Any) -> None:
    belief = Gaussian(array(0, -50, -60, dtype=dtype), array(1, 1, 1, dtype=dtype))
    noise = array(1, 1, 1, dtype=dtype)
    assert np.all(np.asarray(knowledge_gradient(belief, noise))[1:] == 0)
    worth = log_knowledge_gradient(belief, noise)
    assert worth.dtype == dtype
    assert worth[0] == worth[1] > worth[2] > -jnp.inf  # the first two are as far from each other
    scale = math.log(math.sqrt(0.5))
    assert worth[2] == pytest.approx(scale + exact_log_improvement(60 * math.sqrt(2)), rel=1e-6)


@given(SEEDS)
def test_its_logarithm_is_its_logarithm(seed: int) -> None:
    belief, noise, samples = draw(seed)
    worth, log = knowledge_gradient(belief, noise, samples), log_knowledge_gradient(belief, noise, samples)
    np.testing.assert_allclose(np.exp(log), worth, rtol=1e-11, atol=1e-300)  # log of down to e^-700: 700 ε


@given(SEEDS)
def test_more_samples_are_worth_more(seed: int) -> None:
    belief, noise, samples = draw(seed)
    few, many = (knowledge_gradient(belief, noise, n) for n in (samples, 2 * samples))
    assert np.all(np.asarray(many) >= np.asarray(few))
    # And no more than a look without noise.
    assert np.all(np.asarray(knowledge_gradient(belief, 0 * noise)) >= np.asarray(many))


def test_ties_known_means_and_a_single_arm() -> None:
    belief = Gaussian(array(2, 2, 2), array(1, 1, 0))
    expected = math.sqrt(0.5) / math.sqrt(2 * math.pi)
    worth = knowledge_gradient(belief, array(1, 1, 1))
    np.testing.assert_allclose(worth, [expected, expected, 0], rtol=ROUNDED)
    log = log_knowledge_gradient(belief, array(1, 1, 1))
    np.testing.assert_allclose(log, [math.log(expected), math.log(expected), -math.inf], rtol=ROUNDED)
    alone = Gaussian(array(2), array(1))
    assert knowledge_gradient(alone, array(1))[0] == 0
    assert log_knowledge_gradient(alone, array(1))[0] == -math.inf


@pytest.mark.parametrize("count", [1, 2, 4])
def test_gradients_are_finite_where_cases_meet(count: int) -> None:
    """Ties, a known mean, an arm that is not sampled, the far tail."""
    belief = Gaussian(array(1, 1, 1, -90)[:count], array(1, 0, 1, 1)[:count])
    samples = array(1, 1, 0, 1)[:count]

    def worth(belief: Gaussian) -> jax.Array:
        return jnp.sum(arms.knowledge_gradient(belief, jnp.ones(count), samples))

    assert all(np.all(np.isfinite(part)) for part in jax.jit(jax.grad(worth))(belief))


# Optimal computing budget allocation.


def test_the_published_allocation() -> None:
    """Chen & Lee (2010); the smallest mean is sought."""
    means, variances = array(1.2, 2.1, 3.4, 4.87, 6.05), array(3.3, 2.0, 4.5, 5.3, 6.9)
    extra = allocate_whole(-means, variances, array(12, 6, 5, 5, 4), 100.0)
    np.testing.assert_array_equal(extra, [48, 38, 11, 2, 1])


def test_the_published_shares() -> None:
    """Chen & Lee (2010), page 49: 50 samples of five arms, rounded to the nearest."""
    found = shares(-array(1, 2, 3, 4, 5), array(1, 1, 9, 9, 4))
    np.testing.assert_array_equal(np.round(50 * np.asarray(found)), [11, 9, 19, 9, 2])


def one_by_one(share: Array, spent: Array, additional: float) -> Array:
    """Divide; whoever has more keeps it, and the rest is divided again, until nobody has."""
    open_arms, total = np.ones(share.size, bool), spent.copy()
    while True:
        rest = spent.sum() + additional - spent[~open_arms].sum()
        total = np.where(open_arms, rest * share / share[open_arms].sum(), spent)
        below = open_arms & (total < spent * (1 - 1e-12))
        if not below.any():
            return np.maximum(total - spent, 0)
        open_arms &= ~below


@given(SEEDS, st.integers(0, 200))
def test_it_is_the_formula(seed: int, additional: int) -> None:
    belief, variance, spent = draw(seed)
    mean, sigma = np.asarray(belief.mean), np.sqrt(np.asarray(variance))
    best = mean.argmax()
    gap = np.where(np.arange(5) == best, np.inf, mean[best] - mean)
    ratio = (sigma / gap) ** 2
    ratio[best] = sigma[best] * math.sqrt(sum(ratio**2 / sigma**2))
    np.testing.assert_allclose(shares(belief.mean, variance), ratio / ratio.sum(), rtol=ROUNDED)
    expected = one_by_one(ratio / ratio.sum(), np.asarray(spent), float(additional))
    found = allocate(belief.mean, variance, spent, float(additional))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)  # the reference's own slack, 1e-12·30


@pytest.mark.parametrize("dtype", ENDS, ids=("float64", "float32"))
@given(seed=SEEDS, additional=st.integers(0, 500))
def test_it_adds_up_and_takes_nothing_back(dtype: Any, seed: int, additional: int) -> None:
    belief, variance, spent = (jax.tree.map(lambda v: v.astype(dtype), part) for part in draw(seed))
    real = np.asarray(allocate(belief.mean, variance, spent, float(additional)), float)
    whole = np.asarray(allocate_whole(belief.mean, variance, spent, float(additional)), float)
    assert np.all(real >= 0)
    assert np.all(whole >= 0)
    assert real.sum() == pytest.approx(additional, abs=700 * 20 * float(jnp.finfo(dtype).eps))
    assert whole.sum() == additional
    assert np.all(whole == np.round(whole))


@pytest.mark.parametrize("dtype", ENDS, ids=("float64", "float32"))
def test_what_comes_to_a_whole_number_is_not_one_less(dtype: Any) -> None:
    """Two arms share in proportion to their deviations, here whole, and the budget is a multiple of both."""
    best, other, times = np.indices((12, 12, 9)).reshape(3, -1) + 1
    variances = jnp.asarray(np.stack([best, other], 1) ** 2, dtype)
    means, spent = array(2, 1, dtype=dtype), array(0, 0, dtype=dtype)
    budgets = jnp.asarray(times * (best + other), dtype)
    found = jax.jit(jax.vmap(arms.allocate_whole_samples, (None, 0, None, 0)))(
        means, variances, spent, budgets
    )
    np.testing.assert_array_equal(found, np.stack([times * best, times * other], 1))


@given(SEEDS, st.integers(0, 200), st.integers(1, 50))
def test_a_larger_budget_takes_from_nobody(seed: int, additional: int, more: int) -> None:
    belief, variance, spent = draw(seed)
    budgets = (float(additional), float(additional + more))
    less, greater = (np.asarray(allocate(belief.mean, variance, spent, n)) for n in budgets)
    assert np.all(greater >= less - 1e-11)  # 700 samples, a few ε each
    less, greater = (np.asarray(allocate_whole(belief.mean, variance, spent, n)) for n in budgets)
    rest = np.arange(5) != int(jnp.argmax(belief.mean))
    assert np.all(greater[rest] >= less[rest])
    assert np.all(greater > less - 5)


@given(SEEDS, st.floats(1e-3, 1e3), st.floats(-5, 5))
def test_units_and_origin_do_not_count(seed: int, unit: float, origin: float) -> None:
    belief, variance, _ = draw(seed)
    moved = shares(unit * (belief.mean + origin), unit * unit * variance)
    # Gaps are differences of numbers a thousand times as large at worst, and count twice.
    gap = np.diff(np.sort(np.asarray(belief.mean))[-2:]).item()
    np.testing.assert_allclose(moved, shares(belief.mean, variance), rtol=1e-13 + 1e-13 / gap)


def test_tiny_and_huge_units_in_float32() -> None:
    means, variances = array(3, 2, 1, dtype=jnp.float32), array(1, 4, 2, dtype=jnp.float32)
    expected = shares(means, variances)
    for unit in (1e-15, 1e15):
        np.testing.assert_allclose(shares(unit * means, unit**2 * variances), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("mean", "variance", "expected"),
    [
        ([1], [4], [1]),
        ([1], [0], [1]),
        ([2, 1], [4, 1], [2 / 3, 1 / 3]),
        ([2, 2], [4, 1], [2 / 3, 1 / 3]),
        ([2, 2, 1], [4, 1, 9], [2 / 3, 1 / 3, 0]),
        ([2, 2, 2], [1, 1, 3], [1 / 3, 1 / 6, 1 / 2]),
        ([3, 2, 1], [0, 1, 4], [0, 1 / 2, 1 / 2]),
        ([3, 3, 1], [1, 0, 4], [1 / 3, 0, 2 / 3]),
        ([3, 2, 1], [5, 0, 0], [1, 0, 0]),
        ([3, 2, 1], [0, 0, 0], [1, 0, 0]),
    ],
)
def test_where_the_formulas_say_nothing(mean: list, variance: list, expected: list) -> None:
    """One arm; ties; arms without variance, which leave two arms in proportion to their deviations."""
    np.testing.assert_allclose(shares(array(*mean), array(*variance)), expected, rtol=ROUNDED, atol=0)
    extra = allocate_whole(array(*mean), array(*variance), jnp.full(len(mean), 2.0), 7.0)
    assert extra.sum() == 7
    assert np.all(np.asarray(extra)[np.asarray(expected) == 0] == 0)


@given(SEEDS)
def test_near_ties_tend_to_ties(seed: int) -> None:
    _, variance, _ = draw(seed, 4)
    near, tied = array(1, 1 - 1e-7, 1 - 1e-7, 0), array(1, 1, 1, 0)
    np.testing.assert_allclose(shares(near, variance), shares(tied, variance), rtol=1e-9, atol=1e-9)


def test_nothing_more_to_spend() -> None:
    belief, variance, spent = draw(3)
    assert np.all(np.asarray(allocate_whole(belief.mean, variance, spent, 0.0)) == 0)
    np.testing.assert_allclose(
        allocate(belief.mean, variance, spent, 0.0), 0, atol=1e-12
    )  # 30 samples, some ε


# All of them.


@pytest.mark.parametrize("dtype", ENDS, ids=("float64", "float32"))
def test_a_batch_is_its_problems(dtype: Any) -> None:
    problems = [jax.tree.map(lambda values: values.astype(dtype), draw(seed)) for seed in range(6)]

    def everything(belief: Gaussian, noise: jax.Array, spent: jax.Array) -> tuple[Any, ...]:
        return (
            arms.observe(belief, 1.0 + belief.mean, noise, spent),
            arms.knowledge_gradient(belief, noise, spent),
            arms.log_knowledge_gradient(belief, noise),
            arms.allocate_samples(belief.mean, noise, spent, 10.0),
            arms.allocate_whole_samples(belief.mean, noise, spent, 10.0),
        )

    batch = jax.jit(jax.vmap(everything))(*jax.tree.map(lambda *rows: jnp.stack(rows), *problems))
    one = jax.jit(everything)
    # Vectorised otherwise, sums are in another order; what cancels in them is of samples, 30 at most.
    relative, absolute = (1e-4, 1e-4) if dtype == jnp.float32 else (1e-11, 1e-12)
    for row, problem in enumerate(problems):
        for expected, found in zip(jax.tree.leaves(one(*problem)), jax.tree.leaves(batch), strict=True):
            assert found.dtype == dtype
            np.testing.assert_allclose(found[row], expected, rtol=relative, atol=absolute)
