"""What a benchmark ran on, and where its figures go."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """Cores, chip, Python and the versions that matter."""
    chip = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        chip = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), chip)
    return {
        "cores": len(os.sched_getaffinity(0)),
        "chip": chip,
        "python": platform.python_version(),
        **{name: version(name) for name in ("engine", "jax", "numpy")},
    }


def save(name: str, figures: dict[str, Any]) -> Path:
    """Write results/NAME.json."""
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": machine(), **figures}, indent=2) + "\n")
    return path
