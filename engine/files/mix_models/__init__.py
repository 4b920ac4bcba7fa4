"""Response curves of marketing mix models, as Robyn, PyMC-Marketing, Meridian and Prophetverse export them.

Each package saturates advertising that has been carried over from one period to the next. A steady budget
of x a period becomes x·g after carry-over, where g is the sum of the weights, so the response at steady state
is the saturation at x·g: a Hill curve with half point k/g, a logistic one with rate λ·g. The page
`docs/how_to/marketing.md` has a table of every formula with the version that it was checked against.

Of a posterior the curve is the mean of its draws' curves, not the curve of its mean numbers.
"""
