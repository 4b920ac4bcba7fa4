"""Hydra: the configuration of a command, composed from its YAML file and what the user overrides."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, open_dict
from omegaconf.errors import OmegaConfBaseException

from engine.cli.arguments import check_options, check_overrides
from engine.cli.command import Command
from engine.cli.errors import guarded, one_line
from engine.cli.multirun import leaving_nothing_unused
from engine.cli.offers import check_groups, key_offer
from engine.cli.words import fail, say
from engine.files.shipped import config_folder

if TYPE_CHECKING:  # a command line may be wrong before anything is studied
    from engine.study.manifest import Manifest


def register_schemas() -> None:
    """Tell Hydra the schema of each command."""
    from engine.cli.main import command_names, command_of

    for name in command_names():
        register_schema(name, command_of(name))


def register_schema(name: str, command: Command) -> None:
    """Tell Hydra the schema of a command."""
    ConfigStore.instance().store(group="schema", name=name, node=command.schema)


def start(name: str, command: Command) -> None:
    """Run a command with the configuration that the command line asks for; exits with 2 if it is wrong."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach us, not Hydra's own printer
    register_schema(name, command)
    try:
        check_overrides(sys.argv[1:])
        check_groups(name, sys.argv[1:])
        if all(map(_is_plain, sys.argv[1:])):
            _run_once(name, command, sys.argv[1:])
        else:
            _run_by_hydra(name, command)
    except (HydraException, OmegaConfBaseException, ValueError, OSError) as error:
        text = one_line(error)
        fail(text + key_offer(text, name, sys.argv[1:]))
    except KeyboardInterrupt:
        say("interrupted")
        sys.exit(130)


def _is_plain(argument: str) -> bool:
    """Whether an argument sets a key of the command, rather than telling Hydra how to run it."""
    return not argument.startswith("-") and not argument.lstrip("+~").startswith(("hydra.", "hydra/"))


def _run_once(name: str, command: Command, overrides: list[str]) -> None:
    """Run a command once, here and now.

    `hydra.main` gives it the same configuration, but composes it twice, to see whether it is to run many
    times; it is left to explain what cannot be composed, which it does with the command line in view.
    """
    with initialize_config_dir(str(config_folder()), version_base="1.3", job_name=name):
        try:
            config = hydra.compose(name, overrides, return_hydra_config=True)
        except (HydraException, OmegaConfBaseException):
            config = None
        if config is not None:
            HydraConfig.instance().set_config(config)
            with open_dict(config):
                del config["hydra"]
            guarded(command.run, config)
            return
    _run_by_hydra(name, command)


def _run_by_hydra(name: str, command: Command) -> None:
    """Run a command as Hydra is told to: its help, many times, by a launcher, from a folder of one's own."""
    check_options(sys.argv[1:])
    decorate = hydra.main(version_base="1.3", config_path=str(config_folder()), config_name=name)
    with leaving_nothing_unused():
        decorate(lambda config: guarded(command.run, config))()


def compose_sweep(overrides: list[str]) -> DictConfig:
    """The configuration of `engine sweep` with these overrides, whichever command asks for it."""
    from engine.cli.main import command_of

    register_schema("sweep", command_of("sweep"))
    if GlobalHydra.instance().is_initialized():
        return hydra.compose("sweep", overrides)
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        return hydra.compose("sweep", overrides)


def search_path() -> list[str]:
    """The folders of `--config-dir`, as an override that whoever composes the configuration again can use."""
    sources = HydraConfig.get().runtime.config_sources
    paths = [str(Path(source.path).resolve()) for source in sources if source.provider == "command-line"]
    return [f"hydra.searchpath=[{','.join(f'file://{path}' for path in paths)}]"] if paths else []


def given_overrides() -> tuple[str, ...]:
    """What the command line changed of the configuration, so that it can be composed or run again."""
    return (*HydraConfig.get().overrides.task, *search_path())


def studied_overrides(given: Sequence[str] | None = None) -> tuple[str, ...]:
    """Those of the overrides, of the command line unless given, that say what is studied."""
    return tuple(filter(_is_of_the_study, given_overrides() if given is None else given))


def sweep_of(given: Sequence[str]) -> Manifest:
    """The study that `engine sweep` makes with these overrides."""
    from engine.study.plan import sweep_manifest

    def compose(more: list[str]) -> DictConfig:
        return compose_sweep([*given, *more])

    return sweep_manifest(compose([]), compose, studied_overrides(given))


def again(command: str, output: str) -> str:
    """The command line that goes on with a study."""
    overrides = given_overrides()
    if not any(override.startswith("run.output=") for override in overrides):
        overrides = (*overrides, f"run.output={output}")
    return " ".join([f"engine {command}", *map(shlex.quote, overrides)])


def _is_of_the_study(override: str) -> bool:
    """Whether an override says what is studied, not where its results go or who takes part."""
    key = override.lstrip("+~").split("=")[0]
    about_work = key.startswith("sweep.") and not key.startswith(("sweep.grid", "sweep.zip"))
    return key != "run.output" and not about_work
