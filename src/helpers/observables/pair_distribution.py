"""From F(Q) to D(r) over a finite range of Q with a window, and the agreement of two curves.

A range that ends at Q_max leaves ripples next to every peak, of wavelength about 2 pi / Q_max; a
window removes them at the price of wider peaks. A model and a measurement can be compared only if
both are transformed by the same ``Transform``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from helpers.errors import Unfit

WINDOWS = ("step", "lorch", "top hat")


@dataclass(frozen=True)
class Transform:
    r"""The sine transform of F(Q) with a window M over a range of Q.

    .. math:: D(r) = \frac{2}{\pi} \int_0^{Q_{max}} Q F(Q) M(Q) \sin Qr \, dQ

    With F normalised to weights that add up to 1, ``D = 4 pi rho r [g(r) - 1]``. Below the first Q
    that is known F keeps its first value.

    Attributes
    ----------
    Q_max_per_A : float
        end of the range.
    window : str
        "step" M = 1; "lorch" M = sin(x)/x, x = pi Q / Q_max (J. Phys. C 2, 229 (1969)); "top hat"
        M = 3 (sin x - x cos x) / x^3, x = Q width_A: D averaged over a sphere of that radius
        (Soper & Barney, J. Appl. Cryst. 44, 714 (2011)).
    width_A : float
        radius of the top hat.

    Raises
    ------
    Unfit
        another window, or a range or a width that is not positive.
    """

    Q_max_per_A: float
    window: str = "step"
    width_A: float = 0.1

    def __post_init__(self):
        if self.window not in WINDOWS:
            raise Unfit(f"no window {self.window!r}; there are: {', '.join(WINDOWS)}")
        if not (self.Q_max_per_A > 0 and self.width_A > 0):
            raise Unfit(
                f"Q_max {self.Q_max_per_A:g} 1/A and width {self.width_A:g} A must be positive"
            )

    def modification(self, Q) -> np.ndarray:
        """The window function M(Q).

        Parameters
        ----------
        Q : (K,) array
            1/A.

        Returns
        -------
        (K,) array
            M, dimensionless.
        """
        Q = np.asarray(Q, float)
        if self.window == "step":
            return np.ones_like(Q)
        if self.window == "lorch":
            return np.sinc(Q / self.Q_max_per_A)
        x = np.maximum(Q * self.width_A, 1e-3)  # below, M is 1 to seven digits
        return 3 * (np.sin(x) - x * np.cos(x)) / x**3

    def __call__(self, Q, F, r) -> np.ndarray:
        """Transform F(Q) to D(r).

        Parameters
        ----------
        Q : (K,) array
            1/A, ascending.
        F : (..., K) array
            One or several F(Q).
        r : (R,) array
            A.

        Returns
        -------
        (..., R) array
            D(r), 1/A^2.

        Raises
        ------
        Unfit
            Q does not reach Q_max or is not ascending, or F does not fit Q.
        """
        Q, F, r = np.asarray(Q, float), np.asarray(F, float), np.asarray(r, float)
        if F.shape[-1] != len(Q) or not (np.diff(Q) > 0).all() or not np.isfinite(F).all():
            raise Unfit(
                f"F {F.shape} and Q {Q.shape} do not fit: one finite F for each Q, "
                "in ascending order"
            )
        step = np.diff(Q)[0]
        below = np.arange(Q[0] - step, 0, -step)[::-1]
        below = below[below > 1e-9]
        edges = np.concatenate(
            [(Q[:1] - step / 2), (Q[1:] + Q[:-1]) / 2, (Q[-1:] + np.diff(Q)[-1] / 2)]
        )
        if edges[-1] < self.Q_max_per_A * (1 - 1e-6):
            raise Unfit(f"F(Q) ends at {edges[-1]:g} 1/A, below Q_max {self.Q_max_per_A:g} 1/A")
        width = np.clip(np.minimum(edges[1:], self.Q_max_per_A) - edges[:-1], 0, None)
        Q = np.concatenate([below, Q])
        width = np.concatenate([np.full(len(below), step), width])
        F = np.concatenate([np.repeat(F[..., :1], len(below), axis=-1), F], axis=-1)
        return 2 / np.pi * (Q * F * self.modification(Q) * width) @ np.sin(np.outer(Q, r))


@dataclass(frozen=True)
class Agreement:
    """Agreement of a model with a measurement.

    Attributes
    ----------
    scale : float
        Factor by which the model is multiplied.
    Rw : float
        Residual; 0 for identical curves.
    """

    scale: float
    Rw: float


def agreement(x, model, measured, low: float, high: float) -> Agreement:
    r"""Agreement of a model c with a measurement m in a range, with one free scale s.

    .. math:: R_w = \sqrt{\sum_x [m(x) - s\,c(x)]^2 / \sum_x m(x)^2}, \quad
        s = \sum m c / \sum c^2

    All points have the same weight, as is usual for pair distribution functions (Egami & Billinge,
    *Underneath the Bragg Peaks*).

    Parameters
    ----------
    x : (M,) array
        Abscissae, any unit.
    model : (M,) array
        The model c.
    measured : (M,) array
        The measurement m.
    low : float
        Lower end of the range of x.
    high : float
        Upper end of the range of x.

    Returns
    -------
    Agreement
        Scale and residual.

    Raises
    ------
    Unfit
        The arrays do not fit together, or there is no point in the range.
    """
    x, model, measured = (np.asarray(a, float) for a in (x, model, measured))
    if not x.shape == model.shape == measured.shape:
        raise Unfit(f"x {x.shape}, model {model.shape} and measured {measured.shape} do not fit")
    inside = (x >= low) & (x <= high)
    if not inside.any():
        raise Unfit(
            f"no point between {low:g} and {high:g}: they reach from {x.min():g} to {x.max():g}"
        )
    c, m = model[inside], measured[inside]
    scale = (m @ c) / (c @ c)
    return Agreement(float(scale), float(np.sqrt(((m - scale * c) ** 2).sum() / (m @ m))))


def stretched(
    r, model, measured, low: float, high: float, most: float = 0.04
) -> tuple[float, Agreement]:
    """The factor on all distances of the model that fits best, and the agreement with it.

    1.02 means that the measured curve lies at distances 2 % longer than those of the model. This is
    a diagnosis and no fit to be reported alone: it separates distances that are too long from a
    different arrangement. The model is interpolated linearly.

    Parameters
    ----------
    r : (M,) array
        Distances, A.
    model : (M,) array
        The model.
    measured : (M,) array
        The measurement.
    low : float
        Lower end of the range, A, in distances of the measurement.
    high : float
        Upper end of the range, A.
    most : float
        The factor lies within 1 - most ... 1 + most.

    Returns
    -------
    factor : float
        The factor.
    agreement : Agreement
        Scale and residual with it.

    Raises
    ------
    Unfit
        As ``agreement``.
    """

    def at(factor):
        return agreement(r, np.interp(np.asarray(r) / factor, r, model), measured, low, high)

    # the misfit has other minima, where a peak meets the next: look along the range first
    tried = np.linspace(1 - most, 1 + most, 81)
    best = tried[np.argmin([at(factor).Rw for factor in tried])]
    step = tried[1] - tried[0]
    found = minimize_scalar(
        lambda factor: at(factor).Rw,
        bounds=(best - step, best + step),
        method="bounded",
        options={"xatol": 1e-5},
    )
    return float(found.x), at(found.x)
