"""A value is said once: types in the schema, values and what they mean in YAML."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

import hydra
import pytest
import yaml
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from engine.bets.methods import METHODS
from engine.bets.objectives import OBJECTIVES
from engine.cli.compose import register_schema
from engine.cli.main import command_names, command_of
from engine.files.shipped import MISSING, config_folder
from engine.planning.policies import POLICIES
from engine.simulation.methods import method_of
from engine.solvers.registry import SOLVERS

# Composed from files of their own, of which a folder of the user's may leave out what it does not need.
GROUPS = {"scenario", "solver", "objective", "sweep.grid"}


def leaves(schema: type, where: str = "") -> Iterator[tuple[str, Any]]:
    """The keys of a schema, and the defaults that stand in it."""
    types = get_type_hints(schema)
    for each in fields(schema):
        key = f"{where}{each.name}"
        if key in GROUPS:
            continue
        if is_dataclass(types[each.name]):
            yield from leaves(types[each.name], f"{key}.")
        elif each.default is not NO_DEFAULT:
            yield key, each.default
        else:
            yield key, each.default_factory()  # type: ignore[misc]


def said(name: str) -> set[str]:
    """The keys that a command's YAML file gives a value, or asks for."""

    def keys(tree: Any, where: str = "") -> Iterator[str]:
        for key, value in tree.items():
            yield f"{where}{key}"
            if isinstance(value, dict):
                yield from keys(value, f"{where}{key}.")

    tree = yaml.safe_load((config_folder() / f"{name}.yaml").read_text())
    found = set(keys(tree))
    return found | said("reading") if "reading" in tree.get("defaults", []) else found


@pytest.mark.parametrize("name", command_names())
def test_a_command_composes_from_its_own_file(name: str) -> None:
    register_schema(name, command_of(name))
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        config = hydra.compose(name, return_hydra_config=True)
    assert config.hydra.output_subdir is None
    assert config.hydra.run.dir == "."
    assert OmegaConf.get_type(config) is command_of(name).schema


@pytest.mark.parametrize("name", command_names())
def test_every_value_is_in_the_file_and_none_in_the_schema(name: str) -> None:
    for key, default in leaves(command_of(name).schema):
        assert default in (MISSING, [], {}), f"{key} has a default in the schema too"
        assert key in said(name), f"{key} has no value in {name}.yaml"


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_numbers_of_an_objective_are_its_own(name: str) -> None:
    text = (config_folder() / "objective" / f"{name}.yaml").read_text()
    known = {each.name: each.default for each in fields(OBJECTIVES[name])}
    assert yaml.safe_load(text) == {name: {k: None if v is NO_DEFAULT else v for k, v in known.items()}}


@pytest.mark.parametrize("name", [*SOLVERS, *METHODS, *POLICIES])
def test_the_options_of_a_solver_are_those_of_its_function(name: str) -> None:
    (solver, options), *others = yaml.safe_load(
        (config_folder() / "solver" / f"{name}.yaml").read_text()
    ).items()
    assert (solver, others) == (name, [])
    signature = inspect.signature(method_of(name).solve).parameters.values()
    defaults = {p.name: p.default for p in signature if p.kind is inspect.Parameter.KEYWORD_ONLY}
    asked = {
        name: MISSING if default is inspect.Parameter.empty else default for name, default in defaults.items()
    }
    assert options == asked


def test_the_defaults_of_a_fit_are_those_of_its_function() -> None:
    from engine.fitting.fit import fit

    values = yaml.safe_load((config_folder() / "fit.yaml").read_text())
    parameters = inspect.signature(fit).parameters
    for name in ("holdout", "loss", "choice", "seed"):
        assert values[name] == parameters[name].default
    assert tuple(values["families"]) == parameters["families"].default
