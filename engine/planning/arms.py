"""Independent Gaussian arms: which to sample next, so as to know which has the largest mean.

Arm i returns independent normal samples around an unknown mean, with a known variance s_i² of one sample.
What is known of the mean is normal too, with mean μ_i and variance v_i. No arm's return diminishes and none
tells of another: the special case of planning for which the literature has closed forms.

    observe                   what n samples teach: the conjugate update
    knowledge_gradient        what n samples of an arm are worth: E[max μ after them] − max μ
    allocate_samples          optimal computing budget allocation (OCBA): how to divide further samples

The knowledge gradient costs a fixed number of operations an arm, OCBA one sort. Everything is a pure function
of arrays [arms], one problem at a time: `jax.vmap` batches it, `jax.jit` compiles it. All arrays are of one
floating dtype, counts of samples too, whose whole numbers are exact up to 1/ε (2²³ in float32). Where the arm
with the smallest mean is sought, turn the signs of the means.

Nothing is checked here, so that all of it compiles: JAX raises `TypeError` or `ValueError` where shapes do
not fit. Variances are to be at least 0, counts whole and at least 0; nonsense gives nonsense, no error.

Sources: DeGroot (1970), Optimal Statistical Decisions, section 9.5, for the update; Frazier, Powell & Dayanik
(2008), A knowledge-gradient policy for sequential information collection, SIAM J. Control Optim. 47; Chen,
Lin, Yücesan & Chick (2000), Simulation budget allocation for further enhancing the efficiency of ordinal
optimization, Discrete Event Dyn. Syst. 10; Chen & Lee (2010), Stochastic Simulation Optimization.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from engine.solvers.responses import Scalar
from engine.solvers.rounding import budget_slack

Arms = Float[Array, " arms"]
Count = Arms | Scalar | float

# Up to here the cancellation in φ(x) − x·Φ(−x) costs less than a hundred ε (measured: 92). From here on the
# continued fraction, of this many terms, is right to a few ε; it takes more of them the smaller x is.
FAR, TERMS = 3.0, 40
LOG_ROOT_TAU = 0.5 * math.log(2.0 * math.pi)


# Beliefs.


class Gaussian(NamedTuple):
    """What is believed of the arms' means: normal, each independent of the others.

    `mean` [arms] is in units of return. `variance` [arms], in their square, is that of the *mean* and not of
    a sample: 0 where the mean is known, infinite where nothing is.
    """

    mean: Arms
    variance: Arms


def observe(belief: Gaussian, average: Arms, sampling_variance: Arms, samples: Count = 1.0) -> Gaussian:
    """The belief after n samples of each arm whose average is ȳ; all at once teach what they teach in turn.

        1/v' = 1/v + n/s²,   μ' = μ + (ȳ − μ)·v/(v + s²/n)

    **Arguments:** `average` ȳ [arms], of the new samples alone, anything where there are none;
    `sampling_variance` s² [arms], of one sample, 0 where samples have no noise; `samples` n, one for each arm
    or for all.

    **Returns:** a belief of the same shape. Where an arm is not sampled it is the old one, to the bit, and so
    it is where the mean was known (v = 0), even if samples without noise contradict it.
    """
    noise = _noise(belief.mean, sampling_variance, samples)
    weight = _weight(belief.variance, noise)
    step = jnp.where(weight > 0, average - belief.mean, 0.0)
    variance = jnp.minimum(belief.variance, noise) / (1.0 + _ratio(belief.variance, noise))
    return Gaussian(belief.mean + weight * step, variance)


def _noise(mean: Arms, sampling_variance: Arms, samples: Count) -> Arms:
    """s²/n: the variance of the average of n samples; infinite of none."""
    count = jnp.broadcast_to(jnp.asarray(samples, mean.dtype), mean.shape)
    return jnp.where(count > 0, sampling_variance / jnp.where(count > 0, count, 1.0), jnp.inf)


def _ratio(variance: Arms, noise: Arms) -> Arms:
    """The smaller over the larger, which neither overflows nor is undefined; 1 of two zeros or infinities."""
    small, large = jnp.minimum(variance, noise), jnp.maximum(variance, noise)
    return jnp.where(small < large, small / jnp.where(small < large, large, 1.0), 1.0)


def _weight(variance: Arms, noise: Arms) -> Arms:
    """v/(v + s²/n), from 0 to 1: what the samples count for against what was believed."""
    ratio = _ratio(variance, noise)
    learns = (variance > 0) & (noise < jnp.inf)
    return jnp.where(learns, jnp.where(variance < noise, ratio, 1.0) / (1.0 + ratio), 0.0)


# The knowledge gradient.


def predictive_deviation(belief: Gaussian, sampling_variance: Arms, samples: Count = 1.0) -> Arms:
    """σ̃ [arms]: how far n samples of an arm will move its mean, as a standard deviation seen from before.

    σ̃² = v − v' = v·v/(v + s²/n). σ̃ is in units of return, 0 without samples and √v where they have no noise.
    Arguments as of `observe`.
    """
    weight = _weight(belief.variance, _noise(belief.mean, sampling_variance, samples))
    moves = weight > 0
    variance, weight = (jnp.where(moves, values, 1.0) for values in (belief.variance, weight))
    return jnp.where(moves, jnp.sqrt(variance) * jnp.sqrt(weight), 0.0)


def knowledge_gradient(belief: Gaussian, sampling_variance: Arms, samples: Count = 1.0) -> Arms:
    """ν [arms]: by how much n samples of that arm alone raise the largest mean, on average.

        ν = E[max_x μ'_x] − max_x μ_x = σ̃·f(−|μ_x − max_{x'≠x} μ_x'|/σ̃),   f(z) = φ(z) + z·Φ(z)

    **Arguments:** as of `observe`; n samples are a batch, seen together. ν grows with n, but not always ever
    slower: one sample may be worth next to nothing where ten are worth much (Frazier & Powell 2010, Paradoxes
    in learning), so where samples cost, compare ν/n over several n.

    **Returns:** ν ≥ 0 in units of return. It is 0 where the mean is known, where nothing is sampled, and of a
    single arm, which is chosen whatever is seen. Where means tie, it is σ̃·φ(0).

    With z the argument of f, the relative error is less than a hundred ε, and a few ε·z² for the rounding of
    z. ν underflows where z is below −38 in float64, −13 in float32; `log_knowledge_gradient` does not.
    """
    deviation = predictive_deviation(belief, sampling_variance, samples)
    return deviation * improvement(_distance(belief.mean, deviation))


def log_knowledge_gradient(belief: Gaussian, sampling_variance: Arms, samples: Count = 1.0) -> Arms:
    """log ν [arms], also where ν underflows; −∞ where it is 0. Arguments as of `knowledge_gradient`."""
    deviation = predictive_deviation(belief, sampling_variance, samples)
    moves = deviation > 0
    scale = jnp.log(jnp.where(moves, deviation, 1.0))
    return jnp.where(moves, scale + log_improvement(_distance(belief.mean, deviation)), -jnp.inf)


def improvement(x: Arms) -> Arms:
    """f(−x) = φ(x) − x·Φ(−x) of x ≥ 0: by how much a standard normal exceeds x, on average."""
    near = jnp.minimum(x, FAR)
    difference = _density(near) - near * (0.5 * jax.lax.erfc(near * math.sqrt(0.5)))
    return jnp.where(x < FAR, difference, _density(x) * _tail(x))


def log_improvement(x: Arms) -> Arms:
    """log f(−x) of x ≥ 0, finite as long as x² is."""
    far = jnp.log(_tail(x)) - LOG_ROOT_TAU - 0.5 * x * x
    return jnp.where(x < FAR, jnp.log(improvement(jnp.minimum(x, FAR))), far)


def _density(x: Arms) -> Arms:
    """φ(x)."""
    return jnp.exp(-0.5 * x * x) * math.exp(-LOG_ROOT_TAU)


def _tail(x: Arms) -> Arms:
    """f(−x)/φ(x) of x ≥ `FAR`, about 1/x², by a continued fraction of positive terms.

    The integrals h_n(x) = ∫_x^∞ (t − x)ⁿ/n! φ(t) dt, with h_0 = Φ(−x), h_1 = f(−x) and φ as h_{−1}, obey
    h_{n−1} = x·h_n + (n + 1)·h_{n+1}. So their ratios r_n = h_n/h_{n−1} are 1/(x + (n + 1)·r_{n+1}), and
    f(−x)/φ(x) = r_0·r_1. The first ratio taken is what it would be if the next one were the same.

    Source: Gautschi (1961), Recursive computation of the repeated integrals of the error function.
    """
    x = jnp.maximum(x, FAR)
    ratio = 2.0 / (x + jnp.sqrt(x * x + 4.0 * (TERMS + 1)))
    for n in range(TERMS - 1, 0, -1):
        ratio = 1.0 / (x + (n + 1) * ratio)
    return ratio / (x + ratio)


def _distance(mean: Arms, deviation: Arms) -> Arms:
    """|μ_x − max_{x'≠x} μ_x'|/σ̃; infinite where σ̃ is 0 or there is no other arm."""
    if mean.size == 1:
        return jnp.full_like(mean, jnp.inf)
    best = _is_best(mean)
    others = jnp.where(best, jnp.max(jnp.where(best, -jnp.inf, mean)), jnp.max(mean))
    moves = deviation > 0
    return jnp.where(moves, jnp.abs(mean - others) / jnp.where(moves, deviation, 1.0), jnp.inf)


def _is_best(mean: Arms) -> Bool[Array, " arms"]:
    """Which arm has the largest mean: the first of those that do."""
    return jnp.arange(mean.size) == jnp.argmax(mean)


# Optimal computing budget allocation.


def sample_shares(mean: Arms, variance: Arms) -> Arms:
    """The shares [arms] of all samples that best tell the largest mean from the others; they add up to 1.

        N_i/N_j = (σ_i/δ_i)²/(σ_j/δ_j)²,   N_b = σ_b·sqrt(Σ_{i≠b} N_i²/σ_i²),   δ_i = μ_b − μ_i

    with b the arm of the largest mean, the first of those. They maximise, approximately and as samples become
    many, a lower bound of the chance that b is right (Chen, Lin, Yücesan & Chick 2000, theorem 1).

    **Arguments:** `mean` [arms], the averages so far; `variance` [arms], σ² of one sample.

    **Returns:** shares that do not depend on the unit or origin of the means. Where the formulas say nothing:

    - of means that tie with the best, the limit as their δ go to 0 together: they and the best share all, N_i
      in proportion to σ_i² and N_b = σ_b·sqrt(Σ_{i≠b} σ_i²); two arms that tie, in proportion to σ;
    - an arm without variance has no share, tied or not: one sample tells its mean;
    - a single arm, or the best where no other has a variance, has all.
    """
    best = _is_best(mean)
    spread = variance / _or_one(jnp.max(variance))
    contends = ~best & (spread > 0)
    gap = jnp.max(mean) - mean
    least = jnp.min(jnp.where(contends, gap, jnp.inf))
    # δ in units of the least one, so that none divides by 0. An arm without variance may lie nearer yet.
    closeness = jnp.where(gap > least, least / jnp.where(gap > least, gap, 1.0), 1.0) ** 2
    others = jnp.where(contends, closeness * spread, 0.0)
    best_spread = jnp.sum(jnp.where(best, spread, 0.0))
    for_best = jnp.where(jnp.any(contends), jnp.sqrt(best_spread * jnp.sum(closeness * others)), 1.0)
    ratios = jnp.where(best, for_best, others)
    return ratios / jnp.sum(ratios)


def allocate_samples(mean: Arms, variance: Arms, spent: Arms, additional: Scalar | float) -> Arms:
    """How many of the additional samples each arm gets [arms]: real numbers that add up to them.

    All samples, spent or not, are divided by `sample_shares`. Arms that have more than that keep what they
    have, and what is left is divided among the others, until none is below what it has. That is
    max(n_i, c·share_i) at the one level c that uses all, so that of more samples no arm gets fewer.

    **Arguments:** `mean` and `variance` as of `sample_shares`; `spent` n [arms], the samples so far;
    `additional`, at least 0.
    """
    shares = sample_shares(mean, variance)
    return jnp.maximum(_level(shares, spent, additional) * shares - spent, 0.0)


def allocate_whole_samples(mean: Arms, variance: Arms, spent: Arms, additional: Scalar | float) -> Arms:
    """As `allocate_samples`, in whole numbers that add up to `additional`, which is whole, as `spent` is.

    As Chen & Lee (2010) do it, each arm's total is rounded down, and the best arm gets what that leaves, less
    than one sample an arm; where it has no variance, the arm with the largest share does. Of more samples, no
    arm gets fewer but the one that gets the rest, which may get fewer by less than the number of arms.
    """
    shares = sample_shares(mean, variance)
    total = _level(shares, spent, additional) * shares
    # With slack, so that what comes to a whole number does not fall short of it by rounding.
    extra = jnp.maximum(jnp.floor(total + budget_slack(total)) - spent, 0.0)
    best = jnp.argmax(mean)
    taker = jnp.where(shares[best] > 0, best, jnp.argmax(shares))
    return extra.at[taker].add(additional - jnp.sum(extra))


def _level(shares: Arms, spent: Arms, additional: Scalar | float) -> Scalar:
    """c with Σ max(n_i, c·share_i) = Σ n_i + additional.

    If the arms outside a set K keep what they have, the arms in K use up all at (Σ_{i∈K} n_i + additional)/
    Σ_{i∈K} share_i. That is c where K is the right set and no less than c of any other; the right one holds
    the arms with the fewest samples per share, however many.
    """
    per_share = jnp.where(shares > 0, spent / _or_one(shares), jnp.inf)
    order = jnp.argsort(per_share)
    samples, share = jnp.cumsum(spent[order]) + additional, jnp.cumsum(shares[order])
    return jnp.min(jnp.where(share > 0, samples / _or_one(share), jnp.inf))


def _or_one(values: Float[Array, ...]) -> Float[Array, ...]:
    """Values that may be divided by: 1 where they are 0."""
    return jnp.where(values > 0, values, 1.0)
