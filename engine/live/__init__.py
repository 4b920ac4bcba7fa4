"""The live page: drag the budget and the projects."""
