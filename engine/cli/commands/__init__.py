"""One file a command: its schema, its record, its function.

Files here import what their function needs inside it, so that help, an unknown command or an unknown key is
answered without waiting for JAX.
"""
