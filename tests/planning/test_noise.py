"""Random numbers of particles: as many in every part of (0, 1), and unrelated where anything differs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from engine.planning import noise

SHAPE = (16, 4096)
# Among some hundred tests that hold; the numbers are the same in every run.
RARE = 1e-4


def drawn(seed: int, period: int = 0) -> np.ndarray:
    """[words, projects, particles]"""
    key = jax.random.fold_in(jax.random.key(seed), period)
    return np.stack(noise.words(key, SHAPE))


def numbers(words: np.ndarray) -> np.ndarray:
    return np.asarray(noise.uniform(jnp.asarray(words), jnp.float64))


def unrelated(one: np.ndarray, other: np.ndarray) -> None:
    """No linear relation, and as many pairs in each of 8 × 8 squares."""
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 4.0 / one.size**0.5
    counts = np.histogram2d(one.ravel(), other.ravel(), 8, [[0, 1], [0, 1]])[0]
    assert stats.chisquare(counts.ravel()).pvalue > RARE


@pytest.mark.parametrize("seed", range(3))
def test_words_are_uniform_to_their_last_bit(seed: int) -> None:
    for word in drawn(seed):
        for bits in (word >> 24, (word >> 9) & 0xFF, word & 0xFF):
            assert stats.chisquare(np.bincount(bits.ravel(), minlength=256)).pvalue > RARE
        ones = np.unpackbits(word.view(np.uint8)).mean()
        assert abs(ones - 0.5) < 2.0 / (32 * word.size) ** 0.5
    for values in numbers(drawn(seed)):
        assert stats.kstest(values.ravel(), "uniform").pvalue > RARE


@pytest.mark.parametrize("seed", range(3))
def test_words_of_a_place_are_unrelated(seed: int) -> None:
    values = numbers(drawn(seed))
    for one in range(4):
        for other in range(one):
            unrelated(values[one], values[other])


@pytest.mark.parametrize("seed", range(3))
def test_neighbours_are_unrelated(seed: int) -> None:
    for values in numbers(drawn(seed)):
        for shift in (1, 2, 64):
            unrelated(values[:, shift:], values[:, :-shift])
        unrelated(values[1:], values[:-1])


@pytest.mark.parametrize("seed", range(3))
def test_periods_and_keys_are_unrelated(seed: int) -> None:
    here = numbers(drawn(seed))
    for there in (numbers(drawn(seed, 1)), numbers(drawn(seed + 1))):
        for word in range(4):
            unrelated(here[word], there[word])


def test_a_place_has_its_own_numbers_among_however_many() -> None:
    key = jax.random.key(1)
    few, many = np.stack(noise.words(key, (2, 3))), np.stack(noise.words(key, (5, 9)))
    np.testing.assert_array_equal(few, many[:, :2, :3])


def test_normal_numbers_and_indices() -> None:
    words = jnp.asarray(drawn(4))
    for word in words:
        normal = np.asarray(noise.normal(word, jnp.float64)).ravel()
        assert stats.kstest(normal, "norm").pvalue > RARE
        index = np.bincount(np.asarray(noise.index(word, 100)).ravel(), minlength=100)
        assert index.size == 100
        assert stats.chisquare(index).pvalue > RARE
    ends = jnp.array([0, 2**32 - 1], jnp.uint32)
    for dtype in (jnp.float32, jnp.float64):
        low, high = np.asarray(noise.uniform(ends, dtype))
        assert 0.0 < low < high < 1.0
        assert np.all(np.isfinite(noise.normal(ends, dtype)))
    assert noise.index(ends, 256).tolist() == [0, 255]
