"""Is a potential physically sound in use? What a specialist tries before trusting it.

Errors on frames (`evaluation.evaluate`) say how well a potential repeats labels. Here it is *used*:
the crystal is stretched and sheared with its atoms relaxed (`equation_of_state`, `elastic`) and set
into motion at constant energy (`energy_conservation`). The same procedures run with the reference,
so that the answers stand side by side; `calculators.kept` keeps them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from helpers.elastic import elastic_constants
from helpers.energy_conservation import energy_in_time
from helpers.equation_of_state import relaxed_volumes, volume_curve
from helpers.relaxation import curvature


def main(argv: Sequence[str] | None = None) -> int:
    """``python -m helpers.validation volume reference ZIF-4``: make and keep one result."""
    makers = {
        "volume": lambda *of: volume_curve(relaxed_volumes(*of)),
        "labels": lambda *of: volume_curve(relaxed_volumes(*of, labelled=True)),
        "elastic": lambda *of: elastic_constants(*of, hessian=guess),
        "energy": energy_in_time,
        "curvature": curvature,
    }
    parser = argparse.ArgumentParser(prog="helpers.validation", description=__doc__)
    parser.add_argument("check", choices=makers)
    parser.add_argument("model", help="a potential, or: reference")
    parser.add_argument("structure", help="name of a cell in data/structures")
    parser.add_argument("--hessian", help="for elastic: what `curvature` wrote, of a similar model")
    options = parser.parse_args(argv)
    guess = np.load(options.hessian) if options.hessian else None
    made = makers[options.check](options.model, options.structure)
    print(made if isinstance(made, Path) else made.round(3).to_string())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
