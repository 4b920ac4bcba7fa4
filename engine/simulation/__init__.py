"""Scenarios, and blocks of portfolios drawn from them, solved, measured and reduced."""
