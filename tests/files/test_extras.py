"""What is missing, and how to get it: from a checkout, its own .venv, or an installed package."""

from __future__ import annotations

import builtins
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import engine
from engine.files import extras
from engine.files.extras import ABOVE, how_to_install

EXTRAS = ("array", "benchmark", "excel", "figures", "netcdf", "ray", "slurm")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout that the package is in."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "setup").touch()
    monkeypatch.setattr(extras, "ABOVE", tmp_path)
    return tmp_path


def test_the_environment_of_a_checkout(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(checkout / ".venv"))
    monkeypatch.chdir(checkout)
    assert how_to_install("figures") == "./scripts/setup figures"
    monkeypatch.chdir(checkout / "scripts")
    assert how_to_install("figures") == f"{checkout}/scripts/setup figures"


def test_another_environment_with_a_checkout(checkout: Path) -> None:
    assert how_to_install("figures") == f'pip install -e "{checkout}[figures]"'


def test_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "ABOVE", tmp_path)
    assert how_to_install("excel") == 'pip install "engine[excel]" from where engine was installed'


def test_the_package_stands_in_its_checkout_and_the_extras_are_there() -> None:
    known = tomllib.loads((ABOVE / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    setup = (ABOVE / "scripts" / "setup").read_text()
    assert set(EXTRAS) <= set(known)
    assert not [name for name in known if name not in setup]


def test_an_array_without_its_library_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "xarray":
            raise ModuleNotFoundError(name=name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match="xarray is missing, expected ") as raised:
        engine.load_array(tmp_path)
    assert str(raised.value).endswith(how_to_install("array"))
