"""Measured data with which the book compares (data/experiments), and what is known of their making.

The glass of ZIF-4 on heating: X-ray total scattering of Gaillac et al., Nature Materials 16, 1149
(2017), at sixteen temperatures from 31 to 589 degrees C. These are data of a glass and not of the
crystal: there is no Bragg peak at any temperature.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import chi2

from helpers import paths, yaml_file
from helpers.errors import NotThere, Unfit
from helpers.observables import as_measured, compression, diffraction_peak, radiation, scattering
from helpers.observables.as_measured import Seen
from helpers.observables.pair_distribution import Transform
from helpers.report import tables

GLASS = "zif4-glass-xray"  # its folder in data/experiments
ZERO_CELSIUS_K = 273.15

#: How the published D(r) was made from the published F(Q), found from the numbers alone: with
#: these three the transform gives D(r) to 0.2-1.4 % of its size from 0 to 15 A, and with a scale of
#: 0.998-0.999. A step, a Lorch window, or an end at 24 1/A leave 15 % and more.
TRANSFORM = Transform(Q_max_per_A=23.3625, window="top hat", width_A=0.1)

#: F(Q) = [I(Q) / N - <f^2>] / <f^2>, by three signs. (1) F tends to -0.65 at small Q and 31 C: the
#: other usual one, divided by <f>^2, would tend to about -2.2 in Zn(im)2. (2) The peak of Zn-N in
#: D(r) at 31 C holds four to five N around each Zn by this normalisation, fewer than two by the
#: other. (3) The ab-initio glasses take a scale of 0.8 by this, 0.3 by the other. The scale is not
#: exact and not the same at all temperatures: from 523 to 553 C the peak of the bonds inside the
#: imidazolate, which hardly move, falls to half. Something less than a full beam of glass is seen
#: there, or the glass decomposes; F(Q) does not say which. So every comparison has a free scale.
NORMALISATION = "mean square"


_NEAR_C = 50.0  # within this a model is compared with a measurement
_ON_ITS_WAY = 0.01  # error of a mean volume, as a share of it
_COOLED = {"closing_volume_percent": "change of volume on cooling (%)"}  # closed or not


@cache
def crystal() -> dict[str, dict]:
    """What is measured on crystals.

    Returns
    -------
    dict of str to dict
        Quantity, with its unit in the name -> value, at (conditions), doi.
    """
    return yaml_file.read(paths.EXPERIMENTS / "zif4-crystal.yaml").content


def beside_crystal(states: pd.DataFrame) -> pd.DataFrame:
    """A crystal at several pressures and temperatures beside what is measured.

    Closed is a volume below 0.85 of that of the first state. The bulk modulus is that of the states
    that are open to the end, at the temperature of the first; a state whose mean volume is known to
    1 % or worse is on its way, and does not count for it. The cell closes between the last setting
    at which it is open at the end of the run and the first at which it has closed by then.

    Parameters
    ----------
    states : DataFrame
        Result of ``peers.at_rest``; the first row is the crystal at rest.

    Returns
    -------
    DataFrame
        A row for each quantity: quantity, here, measured, at, DOI. "cannot tell" where the states
        do not reach far enough.
    """
    rest = states.iloc[0]
    pressed = states[states["temperature_K"] == rest["temperature_K"]].sort_values("pressure_MPa")
    cooled = states[(states["pressure_MPa"] == rest["pressure_MPa"])]
    cooled = cooled.sort_values("temperature_K", ascending=False)
    density = rest["density_g_cm3"]
    error = float(density * rest["error_A3"] / rest["volume_A3"])
    found = {"density_g_cm3": tables.number(float(density), error)}
    still = _open(states)
    found["bulk_modulus_GPa"] = "cannot tell"
    if len(still) > 1:
        found["bulk_modulus_GPa"] = tables.number(*compression.bulk_modulus(*_line(still)))
    found["bulk_modulus_from_fluctuations_GPa"] = tables.number(*_of_fluctuations(still))
    for quantity, path, setting in (
        ("closing_pressure_MPa", pressed, "pressure_MPa"),
        ("closing_temperature_K", cooled, "temperature_K"),
    ):
        still_open, at = compression.closes(
            path[setting].to_numpy(), path["last_A3"], rest["volume_A3"]
        )
        beyond = "below" if setting == "temperature_K" else "above"
        found[quantity] = f"{beyond} {still_open:g}" if len(path) > 1 else "cannot tell"
        if at is not None:
            ends = [one for one in (still_open, at) if one is not None]
            found[quantity] = " to ".join(f"{one:g}" for one in sorted(ends))
    coldest = cooled["volume_A3"].iloc[-1] / rest["volume_A3"] - 1
    found["closing_volume_percent"] = f"{100 * coldest:+.1f}" if len(cooled) > 1 else "cannot tell"
    measured = dict(crystal())
    measured["bulk_modulus_from_fluctuations_GPa"] = measured["bulk_modulus_GPa"]
    return pd.DataFrame([
        {
            "quantity": _COOLED.get(name, tables.header(name)),
            "here": here,
            "measured": measured[name]["value"],
            "at": measured[name]["at"],
            "DOI": measured[name]["doi"],
        }
        for name, here in found.items()
    ])  # fmt: skip


def _open(states: pd.DataFrame) -> pd.DataFrame:
    """The states at the temperature of the first that are open to the end, by pressure."""
    rest = states.iloc[0]
    known = states["error_A3"] < _ON_ITS_WAY * states["volume_A3"]
    still = states[["volume_A3", "last_A3"]].min(axis=1) > compression.CLOSED * rest["volume_A3"]
    alike = states["temperature_K"] == rest["temperature_K"]
    return states[known & still & alike].sort_values("pressure_MPa")


def _line(still: pd.DataFrame) -> tuple[pd.Series, pd.Series, pd.Series]:
    return still["pressure_MPa"] / 1000, still["volume_A3"], still["error_A3"]


def _of_fluctuations(still: pd.DataFrame) -> tuple[float, float]:
    """Mean bulk modulus of the states by the fluctuations of their volumes, and its error, GPa."""
    error = np.sqrt((still["modulus_error_GPa"] ** 2).sum()) / len(still)
    return float(still["modulus_GPa"].mean()), float(error)


def crystal_in_words(states: pd.DataFrame) -> str:
    """How well `beside_crystal` is known: closing pressure, bulk modulus; and thermal expansion.

    Parameters
    ----------
    states : DataFrame
        Result of ``peers.at_rest``; the first row is the crystal at rest.

    Returns
    -------
    str
        Sentences.
    """
    still = _open(states)
    table = beside_crystal(states).set_index("quantity")["here"]
    pressure = table[tables.header("closing_pressure_MPa")]
    said = []
    if " to " in pressure:
        low, high = pressure.split(" to ")
        said.append(
            f"At {low} MPa the cell is still open at the end of the run, at {high} MPa it has "
            "closed by then: in runs of this length it closes somewhere between."
        )
    if len(still) > 2:
        square, freedom = compression.misfit(*_line(still)), len(still) - 2
        said.append(
            f"The line of ln V through the {len(still)} open states leaves χ² = {square:.1f} for "
            f"{freedom} degrees of freedom (p = {chi2.sf(square, freedom):.2g}), and the "
            "fluctuations of the volume in the same runs, $B = k_\\mathrm{B}T\\langle V\\rangle / "
            "\\langle\\delta V^2\\rangle$, give "
            f"{table[tables.header('bulk_modulus_from_fluctuations_GPa')]} GPa beside the "
            f"{table[tables.header('bulk_modulus_GPa')]} GPa of that line."
        )
    rest = states.iloc[0]
    cold = states[states["pressure_MPa"] == rest["pressure_MPa"]].nsmallest(1, "temperature_K")
    between = float(rest["temperature_K"] - cold["temperature_K"].iloc[0])
    if between > 0:
        V, error = cold[["volume_A3", "error_A3"]].iloc[0]
        expansion = 1e6 * np.log(rest["volume_A3"] / V) / between
        error = 1e6 * np.hypot(error / V, rest["error_A3"] / rest["volume_A3"]) / between
        said.append(
            f"From {cold['temperature_K'].iloc[0]:.0f} to {rest['temperature_K']:.0f} K its volume "
            f"expands by {tables.number(float(expansion), float(error))} 10⁻⁶/K."
        )
    return " ".join(said)


def crystal_states(states: pd.DataFrame) -> pd.DataFrame:
    """The states of `beside_crystal` as they are shown.

    Parameters
    ----------
    states : DataFrame
        Result of ``peers.at_rest``.

    Returns
    -------
    DataFrame
        A row for each state, numbers with errors as text.
    """
    shown = states.astype({"temperature_K": int, "pressure_MPa": int})
    for value, error in (("volume_A3", "error_A3"), ("modulus_GPa", "modulus_error_GPa")):
        both = zip(shown[value], shown[error], strict=True)
        shown[value] = [tables.number(*one) for one in both]
    shown["last_A3"] = [f"{volume:.0f}" for volume in shown["last_A3"]]
    names = {"last_A3": "volume at the end (Å³)", "modulus_GPa": "B from fluctuations (GPa)"}
    return shown.drop(columns=["error_A3", "modulus_error_GPa"]).rename(columns=names)


@dataclass(frozen=True)
class HeatedGlass:
    """F(Q) and D(r) of one sample at several temperatures, in the order of the measurement.

    Attributes
    ----------
    temperatures_C : (T,) array
        degrees C, ascending.
    Q_per_A : (K,) array
        centres of the bins.
    F : (T,K) array
        see `NORMALISATION`.
    r_A : (R,) array
        centres of the bins.
    D : (T,R) array
        1/A^2, see `TRANSFORM`.
    """

    temperatures_C: np.ndarray
    Q_per_A: np.ndarray
    F: np.ndarray
    r_A: np.ndarray
    D: np.ndarray

    @property
    def temperatures_K(self) -> np.ndarray:
        """(T,) K."""
        return self.temperatures_C + ZERO_CELSIUS_K

    def at(self, temperature_C: float) -> HeatedGlass:
        """The measurement at one temperature, with F of shape (K,) and D of shape (R,).

        Parameters
        ----------
        temperature_C : float
            Temperature, degrees C.

        Returns
        -------
        HeatedGlass
            The measurement.

        Raises
        ------
        Unfit
            Nothing was measured at this temperature; the message lists the temperatures.
        """
        found = np.flatnonzero(self.temperatures_C == temperature_C)
        if not len(found):
            known = ", ".join(f"{t:g}" for t in self.temperatures_C)
            raise Unfit(f"nothing was measured at {temperature_C:g} C; there are: {known} C")
        n = int(found[0])
        return HeatedGlass(
            self.temperatures_C[n : n + 1], self.Q_per_A, self.F[n], self.r_A, self.D[n]
        )


def heated_glass() -> HeatedGlass:
    """The glass of ZIF-4 on heating.

    Returns
    -------
    HeatedGlass
        All temperatures.

    Raises
    ------
    NotThere
        The data are missing.
    Unfit
        A table is damaged.
    """
    return _heated_glass(paths.EXPERIMENTS / GLASS)


@cache
def _heated_glass(folder: Path) -> HeatedGlass:
    Q, F, t = _table(folder / "structure_factor.csv", "Q_per_A")
    r, D, same = _table(folder / "pair_distribution.csv", "r_A")
    if list(t) != list(same):
        raise Unfit(
            f"{paths.relative(folder)}: the two tables have different temperatures; "
            "restore them from git"
        )
    return HeatedGlass(t, Q, F, r, D)


def _table(file: Path, first: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if not file.is_file():
        raise NotThere(f"{paths.relative(file)} is missing; restore it from git")
    table = pd.read_csv(file)
    if (
        table.columns[0] != first
        or table.isna().any(axis=None)
        or (not (np.diff(table[first]) > 0).all())
    ):
        raise Unfit(
            f"{paths.relative(file)} is damaged: {first} must come first, ascend, and no "
            "number be missing; restore it from git"
        )
    return (
        table[first].to_numpy(),
        table.iloc[:, 1:].to_numpy().T.copy(),
        np.array([float(c) for c in table.columns[1:]]),
    )


def model(frames, symbols, kind: str = "x-ray", charges: Mapping[str, int] | None = None) -> Seen:
    """What this measurement would have shown of a model: its Q, r, transform and normalisation.

    Parameters
    ----------
    frames : sequence of ((N, 3) array, (3, 3) array)
        Positions and cell of each frame, A.
    symbols : (N,) sequence of str
        Chemical symbols.
    kind : str
        The radiation; one other than "x-ray" is a prediction and not a comparison.
    charges : dict of str to int, optional
        See `radiation.amplitudes`.

    Returns
    -------
    Seen
        F(Q) and D(r) of the model.

    Raises
    ------
    Unfit
        As `as_measured.seen`.
    """
    glass = heated_glass()
    return as_measured.seen(
        frames, symbols, glass.Q_per_A, glass.r_A, TRANSFORM, NORMALISATION, kind, charges
    )


def models(
    samples: Mapping[str, Sequence], charges: Mapping[str, int] | None = None
) -> dict[str, list[Seen]]:
    """What this measurement would have shown of each sample of several models.

    Parameters
    ----------
    samples : mapping of str to sequence of peers.Model
        Name of a model -> its samples, anything that has ``frames`` and ``symbols`` as `model`
        takes them.
    charges : dict of str to int, optional
        See `radiation.amplitudes`.

    Returns
    -------
    dict
        name -> F(Q) and D(r) of each sample.

    Raises
    ------
    Unfit
        As `as_measured.seen`.
    """
    return {
        name: [model(one.frames, one.symbols, charges=charges) for one in many]
        for name, many in samples.items()
    }


def routes(frames, symbols, Q, ends: Sequence[float] = ()) -> dict[str, np.ndarray]:
    """F(Q) of a model by all routes there are, to see what the size of its cell does.

    Parameters
    ----------
    frames : sequence of ((N,3) array, (3,3) array)
        positions and cell of each frame, A.
    symbols : (N,) array of str
        chemical symbols.
    Q : (K,) array
        1/A, ascending.
    ends : sequence of float
        distances beyond half the cell at which g(r) may end, A.

    Returns
    -------
    dict
        name -> (K,) array: from vectors of the lattice (NaN where a bin has none), from distances
        up to half the cell, and up to each of the ends with images, with a Lorch window in r.
    """
    found = {"vectors": scattering.by_vectors(frames, symbols, Q)}
    found["distances to half the cell"] = scattering.by_distances(frames, symbols, Q)
    for end in ends:
        found[f"distances to {end:g} Å, with images"] = scattering.by_distances(
            frames, symbols, Q, r_max=end, images=True
        )
    return {name: radiation.total(one, "x-ray", NORMALISATION) for name, one in found.items()}


def first_peaks(glass: HeatedGlass) -> pd.DataFrame:
    """The first peak of F(Q) at every temperature, relative to the bonds of the ligand.

    Parameters
    ----------
    glass : HeatedGlass
        The measurement.

    Returns
    -------
    DataFrame
        temperature_C; position_per_A, height and fwhm_per_A of the first peak
        (`diffraction_peak.first_peak`); ligand, the height of D(r) at the bonds inside the
        imidazolate, 1.2 to 1.6 A, in 1/A^2; ratio, height over ligand, each divided by its value at
        the lowest temperature. What reduces all of F leaves the ratio unchanged.

    Raises
    ------
    Unfit
        A temperature shows no peak.
    """
    return _peaks(glass.temperatures_C, glass.F, glass.D)


def first_peaks_of_models(frames: Mapping[float, list], symbols) -> pd.DataFrame:
    """The first peak of F(Q) of a model at several temperatures, as `first_peaks` of the glass.

    Parameters
    ----------
    frames : mapping of float to list
        Temperature, C -> positions and cell of each frame, A.
    symbols : (N,) sequence of str
        Chemical symbols.

    Returns
    -------
    DataFrame
        As `first_peaks`.

    Raises
    ------
    Unfit
        As `first_peaks` and `as_measured.seen`.
    """
    curves = [model(some, symbols) for some in frames.values()]
    return _peaks(list(frames), [curve.F for curve in curves], [curve.D for curve in curves])


def beside_temperatures(frames: Mapping[float, list], symbols) -> pd.DataFrame:
    """R_w of a heated model against the measurement at the nearest temperature, 1 to 10 A.

    Parameters
    ----------
    frames : mapping of float to list
        Temperature, C -> positions and cell of each frame, A.
    symbols : (N,) sequence of str
        Chemical symbols.

    Returns
    -------
    DataFrame
        A row for each temperature that was measured to within 50 degrees: both temperatures, Rw
        with one free scale, the scale, and the same with all distances of the model times one
        factor (stretch, Rw stretched).

    Raises
    ------
    Unfit
        As `as_measured.seen`.
    """
    glass, rows = heated_glass(), []
    for temperature, some in frames.items():
        off = np.abs(glass.temperatures_C - temperature)
        if off.min() > _NEAR_C:
            continue
        measured = glass.at(float(glass.temperatures_C[off.argmin()]))
        one = as_measured.agreements({"": model(some, symbols)}, measured.D).iloc[0]
        rows.append(
            {
                "window around (°C)": round(temperature),
                "measured at (°C)": round(measured.temperatures_C[0]),
                "Rw": one["Rw 1-10 A"],
                "scale": one["scale"],
                "stretch": one["stretch"],
                "Rw stretched": one["Rw stretched"],
            }
        )
    return pd.DataFrame(rows)


def _peaks(temperatures_C, F, D) -> pd.DataFrame:
    glass = heated_glass()
    bonds = (glass.r_A > 1.2) & (glass.r_A < 1.6)
    rows = []
    for temperature, of_Q, of_r in zip(temperatures_C, F, D, strict=True):
        peak = diffraction_peak.first_peak(glass.Q_per_A, of_Q)
        rows.append(
            {
                "temperature_C": float(temperature),
                "position_per_A": peak.position,
                "height": peak.height,
                "fwhm_per_A": peak.fwhm,
                "ligand": float(of_r[bonds].max()),
            }
        )
    table = pd.DataFrame(rows)
    scaled = table[["height", "ligand"]] / table[["height", "ligand"]].iloc[0]
    return table.assign(ratio=scaled["height"] / scaled["ligand"])
