"""Curves from measurements."""
