"""What the folder of a study says of itself."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import Any

import jax


def machine_facts() -> dict[str, Any]:
    """What a result depends on besides its configuration: versions, and the device."""
    return {
        "versions": {n: version(n) for n in ("engine", "jax", "jaxlib", "numpy", "optax")},
        "device": {"kind": jax.devices()[0].device_kind, "count": jax.device_count()},
        "cores": os.cpu_count(),
    }
