"""A function of many portfolios as one kernel, for GPUs: what it computes on the way stays in registers.

XLA makes a kernel of each step of a loop, and between them everything goes to memory and back; and every
portfolio waits for the slowest of the batch. Here a program takes a few portfolios through the whole
function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

# Numbers of an array that one program holds. A warp of 32 threads holds 1 kB of it: more spills, less idles.
NUMBERS, WARP_BYTES = 1024, 1024
# Of more projects, too few portfolios are side by side for their numbers to be read in one go.
MOST_PROJECTS = 128

Matrix = Float[Array, "projects portfolios"]
Row = Float[Array, "1 portfolios"]
Search = Callable[[Any, Any], Matrix]


def as_kernel(search: Callable[..., Matrix], projects: int) -> Search:
    """A search for effort that runs as one kernel on an NVIDIA GPU: a function of the portfolios, the other
    arguments, and how many projects there are, which are arrays [projects, portfolios] and [1, portfolios].

    A kernel's arrays have powers of two for lengths. So its arrays may have further projects, copies of the
    last one, which the search has to leave out.
    """

    def alone(portfolios: Any, others: Any) -> Matrix:
        return search(portfolios, others, projects)

    def many(portfolios: Any, others: Any) -> Matrix:
        return run_kernel(search, portfolios, others)

    return alone if projects > MOST_PROJECTS else by_device(many, alone)


def run_kernel(
    search: Callable[..., Matrix], portfolios: Any, others: Any, interpret: bool = False
) -> Matrix:
    """The search as one kernel."""
    from jax.experimental import pallas  # a twentieth of a second, on CPUs for nothing

    leaves, structure = jax.tree.flatten((portfolios, others))
    projects, count = max(leaf.shape[0] for leaf in leaves), leaves[0].shape[1]
    rows = 1 << (projects - 1).bit_length()
    lanes = max(NUMBERS // rows, 1)
    programs = -(-count // lanes)

    def fit(a: Array) -> Array:
        further = rows - projects if a.shape[0] == projects else 0
        return jnp.pad(a, ((0, further), (0, programs * lanes - count)), mode="edge")

    def block(a: Any) -> pallas.BlockSpec:
        return pallas.BlockSpec((a.shape[0], lanes), lambda program: (0, program))

    def body(*references: Any) -> None:
        *inputs, effort = references
        given = jax.tree.unflatten(structure, [reference[...] for reference in inputs])
        effort[...] = search(*given, projects)

    fitted = list(map(fit, leaves))
    dtype = next(leaf.dtype for leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.floating))
    shape = jax.ShapeDtypeStruct((rows, programs * lanes), dtype)
    effort = pallas.pallas_call(
        body,
        grid=(programs,),
        in_specs=list(map(block, fitted)),
        out_specs=block(shape),
        out_shape=shape,
        interpret=interpret,
        compiler_params=compiler_params(NUMBERS * dtype.itemsize // WARP_BYTES),
    )(*fitted)
    return effort[:projects, :count]


def by_device(kernel: Callable[..., Any], otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """The kernel on an NVIDIA GPU, the other function elsewhere: such a process has a CPU device too."""
    if not available():
        return otherwise
    return lambda *given: jax.lax.platform_dependent(*given, cuda=kernel, default=otherwise)


def available() -> bool:
    """Whether there is a GPU, and a JAX that still compiles kernels for it by Triton."""
    if jax.default_backend() != "gpu":
        return False
    try:
        compiler_params(1)
    except ImportError:
        return False
    return True


def some(conditions: Bool[Array, ...]) -> Bool[Array, ""]:
    """Whether any holds: Triton has no `jnp.any`."""
    return jnp.max(conditions.astype(jnp.int32)) > 0


def compiler_params(warps: int) -> Any:
    """Of Triton: kernels for which nobody says so may be compiled by something else."""
    from jax.experimental.pallas import triton

    return triton.CompilerParams(num_warps=warps, num_stages=1)
