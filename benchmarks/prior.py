"""The prior that is shipped: what the learning curves of data/ are like.

    python -m benchmarks.prior             writes engine/fitting/learning_curves.parquet

Curves that reach 4,096 labels, up to there, as accuracies: none exceeds 1.
"""

from __future__ import annotations

from benchmarks.curves import MOST, cut, long_curves
from engine.fitting.learn import learn_prior
from engine.fitting.prior import SHIPPED


def main() -> None:
    """Learn, save, print."""
    prior = learn_prior(cut(long_curves(), MOST), ceiling=1.0)
    path = SHIPPED["learning_curves"]
    prior.save(path)
    counts = {family: known.noise.size for family, known in prior.families.items()}
    print(f"saved {path.name}, {path.stat().st_size / 1e3:.0f} kB: {counts}")


if __name__ == "__main__":
    main()
