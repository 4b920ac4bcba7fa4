"""The colours of figures, reports and the live page, on light paper and on dark. Imports nothing.

Source: Okabe & Ito (2008), "Color Universal Design"; vermillion is a shade darker here, so that it can be
read as text on white.
"""

from __future__ import annotations

BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#C44E00"
PURPLE, SKY, YELLOW, BLACK = "#CC79A7", "#56B4E9", "#F0E442", "#000000"

# In the order in which lines and areas take them.
PALETTE = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, YELLOW, BLACK)

INK, SOFT, LINE, PAPER = BLACK, "#5A5A5A", "#D0D0D0", "#FFFFFF"

# What stands for each of these on dark paper: as far from it as they are from white, or farther.
DARK = {
    BLUE: "#58B0F0",
    ORANGE: "#F0B030",
    GREEN: "#2CC295",
    VERMILLION: "#FF8552",
    PURPLE: "#E394C0",
    SKY: "#A9DCFB",
    YELLOW: "#F5EC6B",
    INK: "#E6E6E6",
    SOFT: "#A8ADB3",
    LINE: "#3A4048",
    PAPER: "#16191D",
}

# Greys of stages, the frontier's the strongest.
STAGE_GREYS = ("#ffffff", "#f2f2f2", "#e6e6e6", "#dadada", "#cecece")
FRONTIER_GREY = "#bcbcbc"
DARK_GREYS = {
    "#f2f2f2": "#1e2227",
    "#e6e6e6": "#262b31",
    "#dadada": "#2e343b",
    "#cecece": "#363d45",
    "#bcbcbc": "#49525c",
}
