"""The page's address: what it says is what is asked, and nonsense is one line."""

from __future__ import annotations

import pytest

from engine.live.address import MOST_CHARACTERS, Wish, read_address

READ = {
    "": Wish(),
    "scenario=staged&seed=3": Wish("staged", 3),
    "budget=125&weight.0=2.5&curvature.11=0": Wish(
        budget=125.0, sliders={"weight.0": 2.5, "curvature.11": 0.0}
    ),
    "file=0a1b2c3d4e5f&most_budget=9e2&aversion=0.5&tail=.2": Wish(
        file="0a1b2c3d4e5f", most_budget=900.0, sliders={"aversion": 0.5, "tail": 0.2}
    ),
    "scenario=a%20b%2B%26": Wish("a b+&"),
}


@pytest.mark.parametrize("query", READ)
def test_an_address_is_read(query: str) -> None:
    assert read_address(query) == READ[query]


def test_numbers_keep_every_digit() -> None:
    assert read_address(f"budget={1 / 3!r}").budget == 1 / 3


NONSENSE = {
    "budget": "the address ends in 'budget', expected at most",
    "budget=": "budget is '', expected a number",
    "budget=all": "budget is 'all', expected a number",
    "budget=1&budget=2": "names a key twice",
    "seed=1.5": "seed is '1.5', expected a whole number",
    "seed=" + "9" * 30: "seed is '99999",
    "seed=١": "seed is",
    "colour=red": "the address has 'colour', expected scenario, seed",
    "weight=1": "the address has 'weight'",
    "weight.100=1": "the address has 'weight.100'",
    "weight.-1=1": "the address has 'weight.-1'",
    "file=../../etc": "file is '../../etc', expected the 12 digits",
    "file=0a1b2c3d4e5f&seed=1": "names a file and a scenario",
    "&".join(f"weight.{i}=1" for i in range(200)): "expected at most 160 of KEY=VALUE",
    "scenario=" + "x" * MOST_CHARACTERS: "the address has 8,009 characters, expected at most 8,000",
}


@pytest.mark.parametrize("query", NONSENSE, ids=lambda query: query[:20])
def test_nonsense_is_one_line(query: str) -> None:
    with pytest.raises(ValueError, match="expected") as error:
        read_address(query)
    assert NONSENSE[query] in str(error.value)
    assert len(str(error.value)) < 300
    assert "\n" not in str(error.value)
