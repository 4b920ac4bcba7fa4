"""The command line: `engine run`, `engine allocate` and the other commands, configured by Hydra.

Standard output carries the result alone; progress, warnings and errors go to standard error. Whatever is
wrong with what the user gave is one line and exit code 2.
"""

from __future__ import annotations

import gc
import importlib
import os
import pkgutil
import sys
import warnings
from pathlib import Path

from engine._version import __version__
from engine.cli import commands
from engine.cli.command import Command, WordCommand
from engine.cli.completion import COMPLETION
from engine.cli.quoting import as_hydra_reads
from engine.cli.words import fail, say, show_warning
from engine.model.naming import one_of, renamed

# Commands by the names that they had. They go with the next release.
OLD_NAMES = {"frontier": "budget_curve"}
# What asks for a page of help.
HELP = ("--help", "-h")


def command_names() -> list[str]:
    """The commands that keys configure: the files of `engine.cli.commands`."""
    return [module.name for module in pkgutil.iter_modules(commands.__path__)]


def command_of(name: str) -> Command:
    """The record of such a command."""
    command: Command = importlib.import_module(f"{commands.__name__}.{name}").COMMAND
    return command


def word_commands() -> dict[str, WordCommand]:
    """The commands that take words rather than keys."""
    return {"completion": COMPLETION, "help": HELP_COMMAND}


def all_names() -> list[str]:
    """The commands of both kinds."""
    return sorted([*command_names(), *word_commands()])


def usage() -> str:
    """What `engine --help` prints."""
    known = {name: command_of(name) for name in command_names()} | word_commands()
    lines = [
        f"  {name:12} {known[name].summary}\n               {known[name].examples[0].split('  # ')[0]}"
        for name in sorted(known)
    ]
    return "\n".join(
        [
            "usage: engine COMMAND [key=value ...]",
            "",
            "commands:",
            *lines,
            "",
            "engine COMMAND --help shows what the command's keys mean, examples and choices.",
        ]
    )


def main() -> None:
    """Entry point of the `engine` command."""
    name, arguments = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("--help", [])
    if name in HELP:
        print(usage())
        return
    if name == "--version":
        print(f"engine {__version__}")
        return
    try:
        name = called(name)
        if any(argument in HELP for argument in arguments):
            show_help([name, *arguments])
            return
        if name in word_commands():
            word_commands()[name].run(arguments)
            return
    except ValueError as error:
        fail(str(error))
    _run(name, arguments)


def called(name: str) -> str:
    """The name of a command today.

    **Raises:** `ValueError` for the name of none.
    """
    if name in OLD_NAMES:
        say(f"warning: {renamed(f'engine {name}', f'engine {OLD_NAMES[name]}')}")
    name = OLD_NAMES.get(name, name)
    if name not in all_names():
        raise ValueError(f"unknown command {name!r}{one_of(name, all_names())}")
    return name


def _run(name: str, arguments: list[str]) -> None:
    """Run a command that keys configure."""
    from engine.cli.compose import start

    command = command_of(name)
    sys.argv = [f"engine {name}", *as_hydra_reads(command.schema, arguments)]
    warnings.showwarning = show_warning
    # Imports and tracing make objects by the hundred thousand that stay: looking them through for garbage as
    # often as Python does is a tenth of an answer's time.
    gc.set_threshold(50_000, 20, 20)
    keep_compiled_code()
    start(name, command)


def show_help(words: list[str]) -> None:
    """Print the help of the command that the first word names, of all without one.

    **Raises:** `ValueError` for the name of none.
    """
    from engine.cli.help import page

    if not words:
        print(usage())
        return
    name, *arguments = words
    name = called(name)
    print(page(name, word_commands().get(name) or command_of(name), arguments))


HELP_COMMAND = WordCommand(
    "what a command does, with its keys, examples and choices",
    ("engine help allocate  # the same as engine allocate --help", "engine help  # the commands"),
    "engine help [COMMAND]",
    show_help,
)


def keep_compiled_code() -> None:
    """JAX's compiled code goes to the user's cache folder, unless JAX is told of another place.

    Through the environment, which JAX reads when a command imports it.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "engine" / "jax"
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(cache)
    # Reading a small program back costs a tenth of compiling it, and an answer takes some dozens of them.
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
