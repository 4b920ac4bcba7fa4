#!/usr/bin/env bash
# jax 0.10.2 with jaxlib 0.10.2, on a CPU (Linux, x86-64, Python 3.11).
#
# jax.experimental.serialize_executable saves a compiled program, so that another process need not compile it. A
# program that XLA has just compiled comes back by deserialize_and_load and gives its answer. The same program, read
# from JAX's own persistent compilation cache instead of compiled, is serialized without a word, and what was written
# cannot be loaded:
#
#     JaxRuntimeError: NOT_FOUND: Function convert_multiply_fusion not found (type id: 1)
#
# So whoever saves executables ahead of time has to switch the persistent cache off while doing so; that it works on
# the first day and fails on the second is what makes it hard to see.
#
# Seen: first process "loaded 1696.4054", second process "NOT_FOUND: Function convert_multiply_fusion not found".
# This script fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "jax==0.10.2" "jaxlib==0.10.2"
cat > "$folder/save.py" <<'PYTHON'
import jax
import jax.numpy as jnp
from jax.experimental import serialize_executable

program = jax.jit(lambda x: jnp.sum(jnp.sin(x) * jnp.arange(x.size)))
compiled = program.lower(jax.ShapeDtypeStruct((64,), jnp.float32)).compile()
saved, inputs, outputs = serialize_executable.serialize(compiled)
try:
    print("loaded", serialize_executable.deserialize_and_load(saved, inputs, outputs)(jnp.ones(64)))
except jax.errors.JaxRuntimeError as error:
    print(str(error).splitlines()[0])
PYTHON
export JAX_PLATFORMS=cpu JAX_COMPILATION_CACHE_DIR="$folder/cache" JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0
first=$("$folder/venv/bin/python" "$folder/save.py")
second=$("$folder/venv/bin/python" "$folder/save.py")
echo "compiled:  $first"
echo "read back: $second"
[[ $first == "loaded "* && $second == "NOT_FOUND: Function "*" not found"* ]]
