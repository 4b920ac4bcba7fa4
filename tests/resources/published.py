"""Published multidimensional knapsacks of two resources, with their optima.

Source: Weingartner & Ness (1967), Methods for the solution of the multidimensional 0/1 knapsack problem,
Operations Research 15; WEING1 as the OR-Library (Beasley 1990) explains the format of its file mknap2 by it.
"""

from __future__ import annotations

WEING1 = {
    "returns": (
        *(1898, 440, 22507, 270, 14148, 3100, 4650, 30800, 615, 4975, 1160, 4225, 510, 11880),
        *(479, 440, 490, 330, 110, 560, 24355, 2885, 11748, 4550, 750, 3720, 1950, 10500),
    ),
    "usage": (
        (
            *(45, 0, 85, 150, 65, 95, 30, 0, 170, 0, 40, 25, 20, 0),
            *(0, 25, 0, 0, 25, 0, 165, 0, 85, 0, 0, 0, 0, 100),
        ),
        (
            *(30, 20, 125, 5, 80, 25, 35, 73, 12, 15, 15, 40, 5, 10),
            *(10, 12, 10, 9, 0, 20, 60, 40, 50, 36, 49, 40, 19, 150),
        ),
    ),
    "budgets": (600, 600),
    "optimum": 141278,
}
