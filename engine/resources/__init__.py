"""Several resources: projects that take people and money, each with a budget of its own."""
