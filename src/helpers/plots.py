"""One style for all figures: units in the labels, colours a colour-blind reader can tell apart.

Functions draw into given or new axes and return them; the numbers come in as arrays.
Colours of elements and series: Okabe & Ito (2008), Color Universal Design.
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from helpers import units
from helpers.paper import Value

ELEMENT_COLOURS = {"C": "#4d4d4d", "H": "#e69f00", "N": "#0072b2", "Zn": "#d55e00"}
SERIES_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#4d4d4d")
STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "axes.prop_cycle": plt.cycler(color=SERIES_COLOURS),
}
_POINTS_DRAWN = 20_000


def axes(
    x: tuple[str, str],
    y: tuple[str, str],
    *,
    nrows: int = 1,
    ncols: int = 1,
    width: float = 5.2,
    height: float = 3.6,
    **options,
) -> tuple[Figure, Axes | np.ndarray]:
    """A figure in the book's style whose axes say quantity and unit.

    x, y: (quantity, unit) with "-" for none. width, height: of one panel, inches. options: as for
    ``Figure.subplots`` (``sharex``, ``sharey`` ...). With one panel the second result is its Axes.
    """
    # Outside of rc_context: the first figure of a notebook switches its backend on, and the
    # context would switch it off again at its end.
    figure = plt.figure(figsize=(width * ncols, height * nrows), dpi=110, layout="constrained")
    with plt.rc_context(STYLE):
        panels = figure.subplots(nrows, ncols, **options)
        for panel in np.atleast_1d(panels).flat:
            panel.set_xlabel(label(*x))
            panel.set_ylabel(label(*y))
            if options.get("sharex") or options.get("sharey"):
                panel.label_outer()
    return figure, panels


def label(quantity: str, unit: str) -> str:
    """``label("r", "A")`` -> ``"r (Å)"``; a pure number carries no brackets."""
    return f"{quantity} ({units.pretty(unit)})" if unit not in ("-", "") else quantity


def temperature_colour(temperature_K: float, low_K: float = 300.0, high_K: float = 2500.0):
    """Colour of a temperature, cold is dark, hot is light (plasma)."""
    share = (temperature_K - low_K) / (high_K - low_K)
    return plt.get_cmap("plasma")(float(np.clip(share, 0, 1)) * 0.88)


def element_colour(symbol: str) -> str:
    """Colour of an element of the type map.

    Raises
    ------
    KeyError
        no colour is set for it.
    """
    if symbol not in ELEMENT_COLOURS:
        raise KeyError(
            f"no colour for element {symbol!r}; known: {', '.join(ELEMENT_COLOURS)}"
        )
    return ELEMENT_COLOURS[symbol]


def parity(reference, predicted, quantity: str, unit: str, *, ax: Axes | None = None,
           groups=None, colours: Mapping[str, str] | None = None) -> Axes:
    """Predicted against reference with the diagonal; RMSE = sqrt(mean((p - r)^2)) in the corner.

    reference, predicted: arrays of one shape, in ``unit``. groups: a label per point (elements,
    sets), drawn in colours of their own. The RMSE counts all points; at most 20 000, drawn by a
    fixed seed, are plotted.

    Raises
    ------
    ValueError
        shapes differ, there are no points, or a value is not finite.
    """
    reference, predicted = np.asarray(reference, float), np.asarray(predicted, float)
    if reference.shape != predicted.shape:
        raise ValueError(
            f"parity of {quantity}: reference has shape {reference.shape}, "
            f"predicted {predicted.shape}"
        )
    reference, predicted = reference.ravel(), predicted.ravel()
    if not reference.size:
        raise ValueError(f"parity of {quantity}: no points")
    if not (np.isfinite(reference).all() and np.isfinite(predicted).all()):
        raise ValueError(f"parity of {quantity}: a value is not finite; find its frame first")
    groups = np.full(reference.size, "") if groups is None else np.asarray(groups).ravel()
    if groups.size != reference.size:
        raise ValueError(f"parity of {quantity}: {groups.size} labels, {reference.size} points")
    if ax is None:
        _, ax = axes((f"reference {quantity}", unit), (f"predicted {quantity}", unit),
                     width=4.2, height=4.0)

    drawn = np.arange(reference.size)
    if drawn.size > _POINTS_DRAWN:
        drawn = np.sort(np.random.default_rng(0).choice(drawn, _POINTS_DRAWN, replace=False))
    names = list(dict.fromkeys(groups.tolist()))
    many = len(names) > len(SERIES_COLOURS)
    series = plt.get_cmap("tab20").colors if many else SERIES_COLOURS
    for i, name in enumerate(names):
        chosen = drawn[groups[drawn] == name]
        colour = (colours or {}).get(name) or ELEMENT_COLOURS.get(name, series[i % len(series)])
        ax.plot(reference[chosen], predicted[chosen], ".", markersize=3, alpha=0.35,
                color=colour, label=name or None, rasterized=True)
    ends = np.array([min(reference.min(), predicted.min()), max(reference.max(), predicted.max())])
    ax.plot(ends, ends, color="black", linewidth=0.8)
    rmse = float(np.sqrt(np.mean((predicted - reference) ** 2)))
    ax.text(0.04, 0.96, f"RMSE {rmse:.3g} {units.pretty(unit)}\n{reference.size} points",
            transform=ax.transAxes, va="top")
    ax.set_aspect("equal", adjustable="datalim")
    if any(groups):
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.15), "ncols": 3, "fontsize": 7}
        legend = ax.legend(markerscale=3, **below if many else {"loc": "lower right"})
        for handle in legend.legend_handles:
            handle.set_alpha(1)
    return ax


def learning_curves(lcurve: pd.DataFrame) -> Figure:
    """Training and validation RMSE against step, one panel each for energy, force and virial.

    lcurve: DeePMD-kit's ``lcurve.out`` as a table with its own column names (``step``,
    ``rmse_e_val``, ``rmse_e_trn``, ``rmse_f_val`` ...), eV/atom and eV/A. Panels are shown for
    the quantities it has.

    Raises
    ------
    ValueError
        no ``step`` or no RMSE column.
    """
    kinds = {"e": ("energy RMSE", "meV/atom", 1e3), "f": ("force RMSE", "eV/A", 1.0),
             "v": ("virial RMSE", "meV/atom", 1e3)}
    kinds = {k: v for k, v in kinds.items() if f"rmse_{k}_trn" in lcurve}
    if "step" not in lcurve or not kinds:
        raise ValueError(
            f"learning curve has columns {', '.join(map(str, lcurve.columns))}; "
            f"needed: step and rmse_e_trn, rmse_f_trn or rmse_v_trn"
        )
    figure, panels = axes(("step", "-"), ("", "-"), ncols=len(kinds), width=3.6, height=3.2,
                          squeeze=False)
    for panel, (kind, (quantity, unit, factor)) in zip(panels.flat, kinds.items(), strict=True):
        for part, name, colour in (("trn", "training", 0), ("val", "validation", 1)):
            if f"rmse_{kind}_{part}" in lcurve:
                panel.plot(lcurve["step"], lcurve[f"rmse_{kind}_{part}"] * factor, label=name,
                           color=SERIES_COLOURS[colour], linewidth=1)
        panel.set_yscale("log")
        panel.set_ylabel(label(quantity, unit))
        panel.legend(frameon=False)
    return figure


def running_mean(values, window: int) -> np.ndarray:
    """Centred mean over ``window`` samples; NaN where the window reaches past an end.

    Raises
    ------
    ValueError
        the window is below 1 or longer than the series.
    """
    values = np.asarray(values, float)
    if not 1 <= window <= values.size:
        raise ValueError(
            f"running mean over {window} of {values.size} samples; use 1..{values.size}"
        )
    return pd.Series(values).rolling(window, center=True).mean().to_numpy()


def against_temperature(temperature_K, values, quantity: str, unit: str, *, window: int = 1,
                        name: str = "", colour=None, ax: Axes | None = None) -> Axes:
    """A thermo column against temperature: every sample pale, its running mean on top.

    temperature_K, values: (samples,) in the order of time. The mean is taken of both, so that a
    noisy temperature does not shift the curve.
    """
    if ax is None:
        _, ax = axes(("temperature", "K"), (quantity, unit))
    temperature_K, values = np.asarray(temperature_K, float), np.asarray(values, float)
    colour = colour or ax._get_lines.get_next_color()
    if window > 1:
        ax.plot(temperature_K, values, color=colour, alpha=0.18, linewidth=0.6, rasterized=True)
    ax.plot(running_mean(temperature_K, window), running_mean(values, window), color=colour,
            label=name or None, linewidth=1.6)
    if name:
        ax.legend(frameon=False)
    return ax


def paper_line(ax: Axes, value: Value, axis: str = "y") -> Axes:
    """A dashed line at the paper's number, labelled with its place; ``axis`` is where it is read.

    Raises
    ------
    ValueError
        ``axis`` is neither "x" nor "y".
    """
    if axis not in ("x", "y"):
        raise ValueError(f"axis is {axis!r}; use 'x' or 'y'")
    draw = ax.axvline if axis == "x" else ax.axhline
    draw(value.number, color="black", linestyle="--", linewidth=1, label=f"paper, {value.place}")
    ax.legend(frameon=False)
    return ax


def calibration(table: pd.DataFrame, what: str, *, ax: Axes) -> Axes:
    """True force error against model deviation, a point a frame, a colour a set, and the diagonal.

    table: of `deviation.calibrate`. what: ``avg`` or ``max``, over the atoms of a frame.
    """
    x, y = f"{what}_eV_per_A", f"{what}_error_eV_per_A"
    for i, (name, rows) in enumerate(table.groupby("set", sort=False)):
        ax.plot(rows[x], rows[y], "os^"[i // len(SERIES_COLOURS) % 3], ms=3, alpha=0.7, label=name)
    ends = [table[[x, y]].min().min(), table[[x, y]].max().max()]
    ax.plot(ends, ends, color="black", linewidth=0.8)
    ax.set(xscale="log", yscale="log",
           title={"avg": "mean over atoms", "max": "largest of a frame"}[what])
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
    ax.legend(fontsize=7)
    return ax


def banded(ax: Axes, x, values, errors, *, name: str = "", colour=None, marker: str = "o") -> Axes:
    """A line through points with a pale band of one standard error around it (none where NaN)."""
    x, values, errors = (np.asarray(a, float) for a in (x, values, errors))
    line, = ax.plot(x, values, marker=marker, markersize=3, color=colour, label=name or None)
    ax.fill_between(x, values - errors, values + errors, color=line.get_color(), alpha=0.25,
                    linewidth=0)
    return ax


def stage_bands(ax: Axes, stages) -> Axes:
    """The stages of a run (``stages.find``) as bands behind a curve, named at the top.

    Every second name stands higher: a short stage between two long ones keeps its own.
    """
    for k, stage in enumerate(stages):
        if k % 2:
            ax.axvspan(stage.low_K, stage.high_K, color="#e8eef4", zorder=0, linewidth=0)
        ax.text((stage.low_K + stage.high_K) / 2, 1.01 + 0.05 * (k % 2), stage.name,
                ha="center", va="bottom", transform=ax.get_xaxis_transform(), fontsize=8)
    return ax


def rdf_stages(curves: Mapping[str, object], pairs, *, ncols: int = 2,
               half_cell: float | None = None, on_top: str = "") -> Figure:
    """g(r) of each pair at several stages with bands of one standard error (paper, Figs. 4c, d).

    curves: stage -> ``rdf.RDFs``. pairs: of elements, None for all atoms. half_cell: A, beyond it
    the ground is grey: periodic images. on_top: the curve that is black, dashed and above the
    others, so that it is seen where another one coincides with it.
    """
    nrows = -(-len(pairs) // ncols)
    figure, panels = axes(("r", "A"), ("g(r)", "-"), nrows=nrows, ncols=ncols, width=4.4,
                          height=2.8, squeeze=False)
    for panel, pair in zip(panels.flat, pairs, strict=False):
        for k, (stage, found) in enumerate(curves.items()):
            one, colour = found[pair], SERIES_COLOURS[k % len(SERIES_COLOURS)]
            colour = "black" if stage == on_top else colour
            # every second series dashed: two curves that coincide are both seen
            dashed = stage == on_top if on_top else k % 2
            panel.plot(one.r, one.g, color=colour, label=stage, linewidth=1.2,
                       linestyle="--" if dashed else "-", zorder=3 if stage == on_top else 2)
            panel.fill_between(one.r, one.g - one.error, one.g + one.error, color=colour,
                               alpha=0.3, linewidth=0)
        panel.set_title("total" if pair is None else "–".join(pair))
        panel.set_ylim(bottom=0)
        panel.set_xlim(0, one.edges[-1])
        if half_cell is not None and half_cell < one.edges[-1]:
            panel.axvspan(half_cell, one.edges[-1], color="#f0f0f0", linewidth=0, zorder=0)
    for panel in list(panels.flat)[len(pairs):]:
        panel.remove()
    panels.flat[0].legend(fontsize=8)
    return figure


def density_maps(maps: Mapping[str, np.ndarray], edges) -> Figure:
    """Maps of the local density (1/A^3) side by side in one scale of colours (paper, Fig. 5b-d).

    maps: stage -> (nx, ny). edges: A, of a box along the two vectors of the maps.
    """
    values = np.concatenate([one.ravel() for one in maps.values()])
    low, high = values.min(), values.max()
    width = max(2.2, 11 / len(maps)) if len(maps) > 3 else 3.2
    figure, panels = axes(("along a", "A"), ("along b", "A"), ncols=len(maps), width=width,
                          height=3.2, squeeze=False, sharey=True)
    for panel, (name, one) in zip(panels.flat, maps.items(), strict=True):
        image = panel.imshow(one.T, origin="lower", vmin=low, vmax=high, cmap="cividis",
                             extent=(0, one.shape[0] * edges[0], 0, one.shape[1] * edges[1]))
        panel.set_title(name, fontsize=9)
        panel.grid(False)
    figure.colorbar(image, ax=panels, label=label("number density", "1/Å³"))
    return figure


def coordination_shares(temperature_K, shares: pd.DataFrame) -> Axes:
    """Shares of Zn with 0, 1, 2 ... 6 N against temperature, stacked; fourfold Zn is grey."""
    _, ax = axes(("temperature", "K"), ("share of Zn with x N", "-"), width=6)
    colours = ("#000000", "#00304d", "#0072b2", "#56b4e9", "#e3e3e3", "#e69f00", "#d55e00")
    ax.stackplot(temperature_K, shares.to_numpy().T, colors=colours,
                 labels=[f"x = {x}" for x in shares])
    ax.set_ylim(0, 1)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def event_rates(table: pd.DataFrame, laws: Mapping[str, object]) -> Axes:
    """Arrhenius plot of ``exchange.Bonds.rates``: points with 95 % limits, arrows where no event.

    laws: "break" or "exchange" -> ``rates.Arrhenius``, drawn as a line.
    """
    _, ax = axes(("1000 / T", "1/K"), ("rate of one bond", "1/ns"))
    x = 1000 / table["temperature_K"].to_numpy()
    for colour, marker, name in zip(SERIES_COLOURS, "os", ("break", "exchange"), strict=False):
        rate, low, high = (table[f"{name}_{part}"].to_numpy() for part in
                           ("per_ns", "low", "high"))
        seen = rate > 0
        ax.errorbar(x[seen], rate[seen], np.stack([rate - low, high - rate])[:, seen], fmt=marker,
                    color=colour, markersize=4, capsize=2, label=name if seen.any() else None)
        ax.plot(x[~seen], high[~seen], marker="v", linestyle="none", color=colour,
                markersize=9 if name == "break" else 5, markerfacecolor="none",
                label=f"{name}: none seen, at most")
        if name in laws:
            line = np.linspace(x.min(), x.max(), 50)
            ax.plot(line, laws[name].rate(1000 / line)[0], color=colour, linewidth=1)
    ax.set_yscale("log")
    ax.legend(fontsize=8)
    return ax


def ring_sizes(counts: Mapping[str, np.ndarray], n_metal: int) -> Axes:
    """Rings for each Zn by their size, one group of bars a size, one bar a stage."""
    _, ax = axes(("Zn in a ring", "-"), ("rings for each Zn", "-"))
    sizes = np.arange(2, len(next(iter(counts.values()))))
    width = 0.8 / len(counts)
    for k, (name, count) in enumerate(counts.items()):
        ax.bar(sizes + (k - (len(counts) - 1) / 2) * width, count[2:] / n_metal, width,
               label=name, color=SERIES_COLOURS[k % len(SERIES_COLOURS)])
    ax.set_xticks(sizes)
    ax.legend(fontsize=8)
    return ax


def peak_widths(widths: pd.DataFrame, plateau, equal_up_to: float) -> Figure:
    """FWHM and Lindemann ratio of first peaks against temperature (paper, Fig. 6a).

    widths: ``peaks.track`` of the pairs, one below the other; points with errors are the widths
    at half height, crosses those of a fitted Gaussian. plateau: (from, to) in K, shaded, and
    equal_up_to (K), dotted: what the paper says of its curves.
    """
    figure, panels = axes(("temperature", "K"), ("FWHM of the first peak", "A"), ncols=2)
    panels[1].set_ylabel("Lindemann ratio, FWHM / position")
    columns = (("fwhm_A", "fwhm_error_A"), ("lindemann", "lindemann_error"))
    for panel, (column, error) in zip(panels, columns, strict=True):
        panel.axvspan(*plateau, color="#ececec", linewidth=0, zorder=0)
        panel.axvline(equal_up_to, color="black", linestyle=":", linewidth=1)
        for colour, (pair, one) in zip(SERIES_COLOURS, widths.groupby("pair", sort=False),
                                       strict=False):
            x = one["temperature_K"]
            panel.errorbar(x, one[column], one[error].fillna(0), fmt="o-", markersize=4,
                           capsize=2, color=colour, label=pair)
            panel.plot(x, one["fitted_fwhm_A"] * (one[column] / one["fwhm_A"]), "x",
                       markersize=5, color=colour)
    panels[0].legend()
    return figure


def rdf_temperatures(curves: Mapping[float, object], valley: tuple[float, float] = (2.2, 4.5),
                     sharpest: float = 7.0) -> Figure:
    """g(r) of one pair at rising temperatures, and its valley enlarged (paper, Fig. 3b).

    curves: temperature (K) -> ``rdf.RDF``, with bands of one standard error. valley, sharpest: A,
    range of the second panel, end of the first.
    """
    figure, panels = axes(("r", "A"), ("g(r)", "-"), ncols=2, width=4.4)
    top = 0.0
    for temperature, one in curves.items():
        colour = temperature_colour(temperature)
        inside = (one.r > valley[0] + 0.5) & (one.r < valley[1] - 1.0)
        top = max(top, np.nanmax(one.g[inside], initial=0))
        for panel in panels:
            panel.plot(one.r, one.g, color=colour, linewidth=1.2, label=f"{temperature:.0f} K")
            panel.fill_between(one.r, one.g - one.error, one.g + one.error, color=colour,
                               alpha=0.3, linewidth=0)
    name = next(iter(curves.values())).label
    panels[0].set(xlim=(1.5, sharpest), ylim=(0, None), title=name)
    panels[1].set(xlim=valley, ylim=(0, 1.5 * top or 0.1), title=f"{name}, the valley")
    panels[0].legend(fontsize=8)
    return figure


def mean_force(works: Mapping[float, object], title: str = "") -> Axes:
    """Potentials of mean force at rising temperatures with bands of one standard error (Fig. 3c).

    works: temperature (K) -> ``pmf.PMF``, kJ/mol.
    """
    _, ax = axes(("r", "A"), ("F(r)", "kJ/mol"))
    for temperature, work in works.items():
        colour = temperature_colour(temperature)
        ax.plot(work.r, work.w, color=colour, linewidth=1.2, label=f"{temperature:.0f} K")
        if work.error is not None:
            ax.fill_between(work.r, work.w - work.error, work.w + work.error, color=colour,
                            alpha=0.25, linewidth=0)
    ax.set(xlim=(1.5, 7), title=title)
    ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def activation(table: pd.DataFrame, line, others: Mapping[str, tuple[float, float]],
               range_K: tuple[float, float] = (300.0, 2100.0)) -> Axes:
    """Activation free energies, our line with its 95 % band, and lines of others (paper, Fig. 3d).

    table: of ``pmf.bootstrap``; a bound is drawn as an open triangle. line: ``pmf.FreeEnergyLine``
    or None. others: name -> (dU kJ/mol, dS J/mol/K).
    """
    _, ax = axes(("temperature", "K"), ("ΔF‡", "kJ/mol"))
    T, blue = np.linspace(*range_K, 50), SERIES_COLOURS[0]
    sampled, bounded = (table.dropna(subset=c) for c in ("dF_kJ_mol", "lower_bound_kJ_mol"))
    if len(sampled):
        ax.errorbar(sampled["temperature_K"], sampled["dF_kJ_mol"], sampled["error_kJ_mol"],
                    fmt="o", capsize=3, color=blue, label="this book")
    if len(bounded):
        ax.plot(bounded["temperature_K"], bounded["lower_bound_kJ_mol"], "^", fillstyle="none",
                color=blue, label="this book, at least")
    if line is not None:
        ax.plot(T, line.at(T)[0], color=blue, label="this book, line")
        if line.samples is not None:
            ax.fill_between(T, *line.interval(T).T, color=blue, alpha=0.2, linewidth=0)
    for style, (name, (dU, dS)) in zip((":", "-.", "--", (0, (5, 1, 1, 1, 1, 1))), others.items(),
                                       strict=False):
        ax.plot(T, dU - T * dS / 1000, linestyle=style, color="#4d4d4d", linewidth=1.2, label=name)
    ax.set_ylim(bottom=0)
    ax.legend(fontsize=8)
    return ax


def mean_squared_displacements(moved: Mapping[float, tuple], elements: tuple[str, str]) -> Axes:
    """MSD of two elements, lines and dots, against the lag at rising temperatures.

    moved: temperature (K) -> (lags in ps, element -> MSD in A^2), lag zero first.
    """
    _, ax = axes(("time", "ps"), ("mean squared displacement", "A^2"))
    for temperature, (lag, squared) in moved.items():
        for element, style in zip(elements, ("-", ":"), strict=True):
            ax.plot(lag[1:], squared[element][1:], style, color=temperature_colour(temperature),
                    label=f"{temperature:.0f} K" if style == "-" else None, linewidth=1.2)
    ax.set(xscale="log", yscale="log", title=f"{elements[0]} (lines) and {elements[1]} (dots)")
    ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return ax
