"""Colours that the colour-blind tell apart, for figures and for the live page. Imports nothing.

Source: Okabe & Ito (2008), "Color Universal Design".
"""

BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, YELLOW, BLACK = "#CC79A7", "#56B4E9", "#F0E442", "#000000"

# In the order in which lines and areas take them.
PALETTE = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, YELLOW, BLACK)
