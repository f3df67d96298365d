"""Whether a hot run is a melt: has it forgotten the crystal that it was.

A clock does not tell: what counts is that ligands have found other metal atoms
(book/estimators.md).
"""

from __future__ import annotations

from dataclasses import dataclass

from helpers.observables import displacement, ligand_exchange, neighbors

STILL = 0.05  # of the N off their first Zn: with fewer it is the crystal still
HALF = 0.5  # of the ligands' bonds, and of the way to the next Zn
CLOSE_A = 4.0  # two Zn nearer than this are outside of what the potential knows
CLOSE_SHARE = 0.05  # of the frames, at most
FARTHEST_A = 10.0


@dataclass(frozen=True)
class Melt:
    """What became of the crystal that a run started from.

    Attributes
    ----------
    exchanged : float
        Share of the N that are not bound to their first Zn in the last frame, 0 to 1.
    zn_rmsd_A : float
        Root-mean-square displacement of Zn from the first frame to the last, A.
    zn_apart_A : float
        Shortest Zn-Zn distance of the first frame, A.
    close_share : float
        Share of the frames in which two Zn are nearer than 4 A, 0 to 1.
    """

    exchanged: float
    zn_rmsd_A: float
    zn_apart_A: float
    close_share: float

    @property
    def molten(self) -> bool:
        """Half of the N have left their Zn, and Zn have moved half of the way to the next."""
        return self.exchanged >= HALF and self.zn_rmsd_A > HALF * self.zn_apart_A

    @property
    def trusted(self) -> bool:
        """Molten, and not by frames that the potential does not know: one in twenty at most."""
        return self.molten and self.close_share <= CLOSE_SHARE


def judge(positions, cells, symbols, first=None) -> Melt:
    """Judge a run by its frames.

    Parameters
    ----------
    positions : (F, N, 3) array
        A, *unwrapped*, in order of time.
    cells : (F, 3, 3) array
        A.
    symbols : (N,) sequence of str
        Chemical symbols.
    first : int, optional
        First frame of which nearness is judged, behind the equilibration; by default 0. The
        crystal that was is that of frame 0 in any case.

    Returns
    -------
    Melt
        What became of it.

    Raises
    ------
    Unfit
        As ``ligand_exchange.bonds``.
    """
    positions, cells, symbols = neighbors.frames(positions, cells, symbols)
    bonds = ligand_exchange.bonds(positions, cells, symbols)
    (apart,) = neighbors.closest(positions[:1], cells[:1], symbols, "Zn", FARTHEST_A)
    moved = displacement.rmsd(positions, symbols, cells=cells)["Zn"][-1]
    nearest = neighbors.closest(positions[first:], cells[first:], symbols, "Zn", FARTHEST_A)
    return Melt(
        float(bonds.moved_on[-1]), float(moved), float(apart), float((nearest < CLOSE_A).mean())
    )
