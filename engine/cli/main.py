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
from engine.cli.command import Command
from engine.cli.quoting import as_hydra_reads
from engine.cli.words import fail, say, show_warning

# Commands by the names that they had. They go with the next release.
OLD_NAMES = {"frontier": "budget_curve"}


def command_names() -> list[str]:
    """The commands there are: the files of `engine.cli.commands`."""
    return [module.name for module in pkgutil.iter_modules(commands.__path__)]


def command_of(name: str) -> Command:
    """The record of a command."""
    command: Command = importlib.import_module(f"{commands.__name__}.{name}").COMMAND
    return command


def usage() -> str:
    """What `engine --help` prints."""
    known = {name: command_of(name) for name in command_names()}
    lines = [f"  {name:12} {each.summary}\n               {each.example}" for name, each in known.items()]
    return "\n".join(
        [
            "usage: engine COMMAND [key=value ...]",
            "",
            "commands:",
            *lines,
            "",
            "engine COMMAND --help shows the command's configuration and choices.",
        ]
    )


def main() -> None:
    """Entry point of the `engine` command."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("--help", "-h"):
        print(usage())
        return
    if name == "--version":
        print(f"engine {__version__}")
        return
    if name in OLD_NAMES:
        say(f"warning: engine {name} is now engine {OLD_NAMES[name]}, and goes with the next release")
        name = OLD_NAMES[name]
    if name not in command_names():
        fail(f"unknown command {name!r}, expected one of {', '.join(command_names())}")
    from engine.cli.compose import start

    command = command_of(name)
    sys.argv = [f"engine {name}", *as_hydra_reads(command.schema, sys.argv[2:])]
    warnings.showwarning = show_warning
    # Imports and tracing make objects by the hundred thousand that stay: looking them through for garbage as
    # often as Python does is a tenth of an answer's time.
    gc.set_threshold(50_000, 20, 20)
    keep_compiled_code()
    start(name, command)


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
