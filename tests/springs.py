"""A nearest-neighbour crystal, whose answers are known in closed form.

Atoms of an fcc crystal that see their 12 nearest neighbours through phi(r) alone, at the minimum
r0 of phi: with k = phi''(r0), a = sqrt(2) r0 and a^3/4 an atom,

    C11 = 2 k / a,   C12 = C44 = k / a,   B = 4 k / (3 a),   V0 = a^3 / 4
"""

import numpy as np
from ase.build import bulk
from ase.calculators.lj import LennardJones

from helpers import units

SIGMA, EPSILON = 2.0, 1.0
R0 = 2 ** (1 / 6) * SIGMA
A = np.sqrt(2) * R0
K_GPA = 72 * EPSILON / (2 ** (1 / 3) * SIGMA**2) / A * units.EV_PER_A3_IN_GPA  # k / a


class Springs(LennardJones):
    """Lennard-Jones that ends between the first and the second shell."""

    def __init__(self, **changes):
        super().__init__(sigma=SIGMA, epsilon=EPSILON, rc=1.25 * R0, **changes)


def crystal(rattle=0.0):
    atoms = bulk("Ar", "fcc", a=A, cubic=True)
    atoms.rattle(rattle, seed=3)
    return atoms
