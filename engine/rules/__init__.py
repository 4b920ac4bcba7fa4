"""Rules that budgets have: levels a project may have, groups, either-or, before-after; solved with proof by
composing budget curves."""
