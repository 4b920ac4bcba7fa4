"""The verbs that users call, on arrays of the host."""
