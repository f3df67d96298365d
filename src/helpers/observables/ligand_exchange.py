"""Bonds of ligands to metal atoms over time: lifetimes and ligand exchange."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from helpers.errors import Unfit
from helpers.observables import event_rates, molecules, neighbors


@dataclass(frozen=True)
class Bonds:
    """The bond of every N to a Zn along a trajectory.

    Attributes
    ----------
    zn : (F, n) array of int
        Index of the Zn that each N is bound to; -1 if it is free.
    image : (F, n, 3) array of int
        Periodic image of that Zn, relative to the molecule of the N made whole.
    times_ps : (F,) array
        Time of each frame, ps; NaN if unknown.
    temperatures_K : (F,) array
        Temperature of each frame, K; NaN if unknown.
    nitrogen : (n,) array of int
        Index of each N.
    ligand : (n,) array of int
        Number of the molecule that each N belongs to in the first frame.
    metal : array of int
        Indices of all Zn.
    """

    zn: np.ndarray
    image: np.ndarray
    times_ps: np.ndarray
    temperatures_K: np.ndarray
    nitrogen: np.ndarray
    ligand: np.ndarray
    metal: np.ndarray

    @property
    def n_ligands(self) -> int:
        """Number of ligands."""
        return len(np.unique(self.ligand))

    @property
    def held(self) -> np.ndarray:
        """Number of N bound to each Zn, (F, n_metal); a stretched bond counts up to ``release``."""
        node = np.searchsorted(self.metal, self.zn)
        return np.stack(
            [(node == k).sum(axis=1, where=self.zn >= 0) for k in range(len(self.metal))], axis=1
        )

    @property
    def moved_on(self) -> np.ndarray:
        """Share of the N in each frame, (F,), that the Zn of the first frame holds no longer."""
        same = (self.zn == self.zn[0]) & (self.image == self.image[0]).all(axis=2)
        return 1 - same.mean(axis=1)

    @cached_property
    def _partner(self) -> np.ndarray:
        """(F,n) one number for each Zn image, -1 for none."""
        low, span = self.image.min(axis=(0, 1)), np.ptp(self.image, axis=(0, 1)) + 1
        x, y, z = np.moveaxis(self.image - low, 2, 0)
        number = ((self.zn * span[0] + x) * span[1] + y) * span[2] + z
        return np.where(self.zn < 0, -1, number)

    @cached_property
    def episodes(self) -> pd.DataFrame:
        """The bonds, from the frame in which each is first seen to the first frame without it.

        A row for each bond: ``nitrogen``, ``ligand`` and ``zn`` (as in the attributes), ``start``
        and ``end`` (frames), ``outcome``, ``zn_to`` and ``bound_again``. The outcome is "exchanged"
        if the next Zn that this N binds to is another one (``zn_to``, from frame ``bound_again``),
        "returned" if it is the same, "open" if the N stays free, and "end" if the bond exists in
        the last frame.
        """
        partner = self._partner.T  # (n, F)
        first = np.ones(partner.shape, bool)
        first[:, 1:] = partner[:, 1:] != partner[:, :-1]
        atom, start = np.nonzero(first)
        last_of_atom = np.append(atom[1:] != atom[:-1], True)
        end = np.where(last_of_atom, partner.shape[1], np.append(start[1:], 0))
        bound = partner[atom, start] >= 0
        atom, start, end = atom[bound], start[bound], end[bound]
        number, zn = partner[atom, start], self.zn.T[atom, start]
        follows = np.append(atom[1:] == atom[:-1], False)[: len(atom)]
        next_number, next_zn, next_start = (
            np.append(a[1:], -1)[: len(a)] for a in (number, zn, start)
        )
        outcome = np.select(
            [follows & (next_number != number), follows, end == partner.shape[1]],
            ["exchanged", "returned", "end"],
            "open",
        )
        exchanged = outcome == "exchanged"
        return pd.DataFrame(
            {
                "nitrogen": self.nitrogen[atom],
                "ligand": self.ligand[atom],
                "zn": zn,
                "start": start,
                "end": end,
                "outcome": outcome,
                "zn_to": np.where(exchanged, next_zn, -1),
                "bound_again": np.where(follows, next_start, -1),
            }
        )

    @property
    def exchanges(self) -> pd.DataFrame:
        """The episodes that ended with an exchange, in order of time."""
        found = self.episodes
        return found[found["outcome"] == "exchanged"].sort_values("bound_again", kind="stable")

    @cached_property
    def moves(self) -> pd.DataFrame:
        """Ligands that are bound to other Zn than before.

        A row for each change: ``frame``, ``ligand``, ``replaced`` (how many of its Zn are new) and
        ``flipped`` (none is new, but its N atoms swapped them). Each frame in which all N of the
        ligand are bound is compared with the previous such frame.
        """
        partner, rows = self._partner, []
        for ligand in self.exchanges["ligand"].unique():
            mine = partner[:, self.ligand == ligand]
            settled = np.flatnonzero((mine >= 0).all(axis=1))
            mine = mine[settled]
            for k in np.flatnonzero((mine[1:] != mine[:-1]).any(axis=1)) + 1:
                new = (Counter(mine[k].tolist()) - Counter(mine[k - 1].tolist())).total()
                rows.append((settled[k], ligand, new, new == 0))
        found = pd.DataFrame(rows, columns=["frame", "ligand", "replaced", "flipped"])
        return found.astype(
            {"frame": int, "ligand": int, "replaced": int, "flipped": bool}
        ).sort_values("frame", kind="stable")

    def cumulative(self, frames) -> np.ndarray:
        """Cumulative number of events.

        Parameters
        ----------
        frames : sequence of int
            Frame of each event.

        Returns
        -------
        (F,) array of int
            Number of events up to and including each frame.
        """
        return np.cumsum(np.bincount(np.asarray(frames, int), minlength=len(self.zn)))

    def rates(self, edges_K) -> pd.DataFrame:
        r"""Rates of breaking and of exchange of a Zn-N bond in windows of temperature.

        .. math:: k = n / t, \qquad t = \sum_f n_\mathrm{bound}(f) \, \Delta t_f

        n is the number of events in the window and t the time during which bonds were observed,
        summed over all bonds. 1/k is the maximum-likelihood estimate of the mean lifetime of a
        bond, with bonds that exist at the end taken into account. Limits are those of a Poisson
        mean at 95 % (``event_rates.poisson_limits``); without an event there is only an upper
        limit.

        Parameters
        ----------
        edges_K : (B + 1,) array
            Edges of the windows [low, high), K.

        Returns
        -------
        DataFrame
            A row for each window that holds frames: ``temperature_K``, ``exposure_ns``, ``broken``,
            ``exchanged``, and for both rates, in 1/ns, ``break_per_ns``, ``break_low``,
            ``break_high``, ``exchange_per_ns``, ``exchange_low``, ``exchange_high``.

        Raises
        ------
        Unfit
            The times of the frames are unknown or do not increase.
        """
        step = np.diff(self.times_ps)
        if not (np.isfinite(step).all() and (step > 0).all()):
            raise Unfit(
                "rates need the times of the frames, increasing; a trajectory without its "
                "thermo.csv has none"
            )
        exposure = (self.zn[:-1] >= 0).sum(axis=1) * step / 1000
        ended = self.episodes[self.episodes["outcome"] != "end"]
        window = np.digitize(self.temperatures_K, edges_K) - 1
        rows = []
        for b in range(len(edges_K) - 1):
            inside = window == b
            time = exposure[inside[:-1]].sum()
            if not time > 0:
                continue
            mine = inside[ended["end"] - 1]
            row = {
                "temperature_K": self.temperatures_K[inside].mean(),
                "exposure_ns": time,
                "broken": int(mine.sum()),
                "exchanged": int((mine & (ended["outcome"] == "exchanged")).sum()),
            }
            for name, n in (("break", row["broken"]), ("exchange", row["exchanged"])):
                low, high = event_rates.poisson_limits(n)
                row |= {
                    f"{name}_per_ns": n / time,
                    f"{name}_low": low / time,
                    f"{name}_high": high / time,
                }
            rows.append(row)
        columns = [
            "temperature_K",
            "exposure_ns",
            "broken",
            "exchanged",
            *(
                f"{name}_{part}"
                for name in ("break", "exchange")
                for part in ("per_ns", "low", "high")
            ),
        ]
        return pd.DataFrame(rows, columns=columns)


def activation(
    rate: pd.DataFrame,
) -> tuple[dict[str, event_rates.Arrhenius], dict[str, str]]:
    """Arrhenius laws of the two rates, where there are events enough and they follow one.

    Parameters
    ----------
    rate : DataFrame
        Result of ``Bonds.rates``.

    Returns
    -------
    laws : dict of str to event_rates.Arrhenius
        ``break`` and ``exchange`` -> the law, if the events determine one.
    why_not : dict of str to str
        The others -> the reason.
    """
    laws, why_not = {}, {}
    for name, events in {"break": "broken", "exchange": "exchanged"}.items():
        try:
            law = event_rates.arrhenius(rate["temperature_K"], rate[events], rate["exposure_ns"])
        except event_rates.ActivationNotDetermined as reason:
            why_not[name] = str(reason)
            continue
        if law.p < event_rates.REFUSED:
            why_not[name] = (
                f"one Arrhenius law does not give the counts (deviance {law.deviance:.1f} on "
                f"{law.dof} degrees of freedom, p = {law.p:.2g})"
            )
        else:
            laws[name] = law
    return laws, why_not


def between(rate: pd.DataFrame) -> pd.DataFrame:
    """Activation energies between neighbouring temperatures, which no law has to join.

    Parameters
    ----------
    rate : DataFrame
        Result of ``Bonds.rates``, in order of temperature.

    Returns
    -------
    DataFrame
        A row for each two neighbours and each rate that has five events and some at both: ``rate``
        (break or exchange), ``low_K``, ``high_K``, ``E_kJ_mol`` and its ``error_kJ_mol``, that of
        Poisson's law. Nothing tests it.
    """
    rows = []
    for k in range(len(rate) - 1):
        two = rate.iloc[k : k + 2]
        low, high = two["temperature_K"]
        for name, law in activation(two)[0].items():
            rows.append((name, low, high, law.E_a, law.error))
    columns = ["rate", "low_K", "high_K", "E_kJ_mol", "error_kJ_mol"]
    return pd.DataFrame(rows, columns=columns).sort_values("rate", kind="stable")


def table(rate: pd.DataFrame) -> pd.DataFrame:
    """``Bonds.rates`` as a table for a page.

    Parameters
    ----------
    rate : DataFrame
        Result of ``Bonds.rates``.

    Returns
    -------
    DataFrame
        Rates with their 95 % limits, or an upper limit, as text.
    """

    def cells(name):
        return [
            f"{k:.3g} ({low:.2g} to {high:.3g})" if n else f"below {high:.3g}"
            for n, k, low, high in zip(
                rate["broken" if name == "break" else "exchanged"],
                rate[f"{name}_per_ns"],
                rate[f"{name}_low"],
                rate[f"{name}_high"],
                strict=True,
            )
        ]

    return pd.DataFrame(
        {
            "temperature (K)": [f"{T:.0f}" for T in rate["temperature_K"]],
            "bond time watched (ns)": [f"{t:.3f}" for t in rate["exposure_ns"]],
            "broken": rate["broken"].to_numpy(),
            "exchanged": rate["exchanged"].to_numpy(),
            "breaks of a bond (1/ns)": cells("break"),
            "exchanges of a bond (1/ns)": cells("exchange"),
        }
    )


def bonds(
    positions,
    cells,
    symbols,
    times_ps=None,
    temperatures_K=None,
    center: str = "Zn",
    neighbor: str = "N",
    cutoff: float = 2.5,
    release: float = 3.5,
) -> Bonds:
    """Follow the bond of every N along a trajectory.

    An N stays bound to its Zn while their distance is below ``cutoff``. Beyond that it is assigned
    to the nearest other Zn within ``cutoff``; without one it stays bound to its own up to
    ``release``, and is free beyond. ``cutoff`` is the paper's for Zn-N. ``release`` lies beyond the
    barrier, so that a stretched bond that crosses the cutoff repeatedly is not counted as broken
    each time (stable states: Laage & Hynes, J. Phys. Chem. B 112, 7697 (2008)). A periodic image of
    the same Zn is a different Zn. Ligands are the molecules of the first frame.

    Parameters
    ----------
    positions : (F, N, 3) array
        A, *unwrapped*, in order of time.
    cells : (F, 3, 3) array
        A.
    symbols : (N,) sequence of str
        Chemical symbols.
    times_ps : (F,) array, optional
        Time of each frame, ps.
    temperatures_K : (F,) array, optional
        Temperature of each frame, K.
    center : str
        Element of the metal.
    neighbor : str
        Element of the ligand that binds to it.
    cutoff : float
        Distance within which a bond forms, A.
    release : float
        Distance beyond which a bond is broken, A.

    Returns
    -------
    Bonds
        The bonds along the trajectory.

    Raises
    ------
    Unfit
        The arrays do not fit together, there are no frames, a value is NaN, an element is absent,
        ``release`` is below ``cutoff``, or positions jump by half a cell between frames, by
        0.7 of one where they reach over more than a cell (wrapped, or not consecutive).
    """
    positions, cells, symbols = neighbors.frames(positions, cells, symbols)
    if release < cutoff:
        raise Unfit(f"release {release} A is below the cutoff {cutoff} A")
    centers = neighbors.select(symbols, center)
    others = neighbors.select(symbols, neighbor)
    _refuse_jumps(positions[:, np.union1d(centers, others)], cells)
    first = molecules.find(positions[0], cells[0], symbols, metal=center)
    held = np.full((len(positions) + 1, len(others), 4), -1)
    for f, (frame, cell) in enumerate(zip(positions, cells, strict=True)):
        i, j, distance, shift = neighbors.pairs(frame, cell, others, centers, release, shifts=True)
        shift = shift + first.whole[i]
        held[f + 1] = _next(
            held[f], np.searchsorted(others, i), np.column_stack([j, shift]), distance, cutoff
        )
    unknown = np.full(len(positions), np.nan)
    return Bonds(
        zn=held[1:, :, 0],
        image=held[1:, :, 1:],
        times_ps=unknown if times_ps is None else np.asarray(times_ps, float),
        temperatures_K=unknown if temperatures_K is None else np.asarray(temperatures_K, float),
        nitrogen=others,
        ligand=first.label[others],
        metal=centers,
    )


def _next(held, atom, partner, distance, cutoff) -> np.ndarray:
    """What each N holds now, given what it held and the pairs nearer than ``release``."""
    nearest = np.full(len(held), -1)
    order = np.argsort(-distance)
    nearest[atom[order]] = order  # the nearest is written last and stays
    own = np.full(len(held), np.inf)
    same = (partner == held[atom]).all(axis=1)
    own[atom[same]] = distance[same]
    closest = np.where(nearest >= 0, np.append(distance, np.inf)[nearest], np.inf)
    now = np.where(np.isfinite(own)[:, None], held, -1)
    change = (own >= cutoff) & (closest < cutoff)
    now[change] = partner[nearest[change]]
    return now


def _refuse_jumps(positions, cells) -> None:
    everywhere = [frame @ np.linalg.inv(cell) for frame, cell in zip(positions, cells, strict=True)]
    # Positions that reach over more than a cell are not wrapped; in 0.6 ps a fragment of a hot melt
    # may then really go half of a cell of 15 A.
    unwrapped = np.ptp(everywhere, axis=(0, 1)).max() > 1.2
    largest = 0.7 if unwrapped else 0.5
    previous = None
    for fractional in everywhere:
        jump = 0.0 if previous is None else np.abs(fractional - previous).max()
        if jump > largest:
            raise Unfit(
                f"an atom moves by {jump:.2f} of a cell from one frame to the next: exchange needs "
                "unwrapped positions of consecutive frames (trajectory.read gives them)"
            )
        previous = fractional
