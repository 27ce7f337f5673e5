r"""Numerical derivatives from function values, with an error where there is no derivative.

The partial derivative "measures how f changes as only the variable :math:`x_i` increases" (Deep Learning
6.5.6, note 2). The central difference

.. math::
    D(\eta) = \frac{f(x + \eta) - f(x - \eta)}{2 \eta} = f'(x) + c_2 \eta^2 + c_4 \eta^4 + \ldots

is extrapolated (L. F. Richardson, 1911) from the steps :math:`\eta, \eta/2, \eta/4`, which cancels
:math:`c_2` and :math:`c_4`. The error left is :math:`O(\eta^6)` of truncation and about
:math:`\epsilon |f| / \eta` of rounding. At :math:`\eta = 2^{-6}` both are near :math:`10^{-13}` for functions
whose arguments and derivatives are of order one. Steps are powers of two, so that :math:`x \pm \eta` are
exact or nearly so.

"For some functions, the correct response is to report that the derivative of the function is undefined" (Deep
Learning 6.5, introduction). At a kink the two slopes differ and D is a number in between, the same for every
step: it converges, but not to a derivative. So `derivative` compares both slopes, shortens the step while a kink
lies within it, and raises `UndefinedDerivativeError` if no step is short enough. A caller that knows which smooth
piece a point is on, as `refbp.active_units` does, passes that function as ``piece``; then kinks too weak to
show in the values are found as well.

An analytic function needs no differences: `complex_step`.

Functions of `directional` and `numerical_gradient` take no arguments and read the parameter arrays, which are
changed in place between two evaluations and put back exactly.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")

STEPS = (2.0**-6, 2.0**-10, 2.0**-14, 2.0**-18)
"""Steps to try, one after the other; the extrapolation goes down to a quarter of a step."""

IMAGINARY_STEP = 2.0**-332
"""About 1e-100: its square is nothing beside any number."""

AGREEMENT = 1e-6
"""Part of the slope by which two numbers for the same derivative may differ."""

ROUNDING = 64 * np.finfo(np.float64).eps
"""Rounding error of a derivative over the step one of a function of order one.

The weights of its values in `extrapolated` add up to 6.6, and each is taken to be good to some ten ulps.
"""


class UndefinedDerivativeError(ArithmeticError):
    """The function has a kink at this point, or too near to it for finite differences."""


class NotAnalyticError(ArithmeticError):
    """The function is not analytic, or not computed in complex arithmetic: no complex step is valid."""


# ---- functions of one number, at zero ----


def derivative(f: Callable[[float], float], piece: Callable[[float], np.ndarray] | None = None) -> float:
    """Differentiate a function of one number at zero, by extrapolated central differences.

    Parameters
    ----------
    f : callable
        ``f(t) -> float``.
    piece : callable or None
        ``piece(t) -> array`` that is constant where f is smooth, for instance the signs of everything whose
        absolute value f takes. Without it, the values of f have to tell.

    Returns
    -------
    float

    Raises
    ------
    UndefinedDerivativeError

    Examples
    --------
    >>> abs(derivative(lambda t: np.exp(3 * t)) - 3) < 1e-9
    True
    >>> try:
    ...     derivative(abs)
    ... except UndefinedDerivativeError as error:
    ...     print(error)
    no derivative found: the slope over 9.5e-07 is -1 to the left of this point and 1 to the right
    >>> try:
    ...     derivative(abs, piece=np.sign)
    ... except UndefinedDerivativeError as error:
    ...     print(error)
    no derivative: the function changes its smooth piece within 3.8e-06 of this point
    """
    here = float(f(0.0))
    for step in STEPS if piece is None else (step_on_one_piece(piece),):
        left, right = one_sided_slopes(f, here, step)
        if piece is not None or is_smooth(left, right, rounding(max(1.0, abs(here)), step)):
            return extrapolated((left + right) / 2)
    raise UndefinedDerivativeError(
        f"no derivative found: the slope over {STEPS[-1] / 4:.1e} is"
        f" {left[-1]:.6g} to the left of this point and {right[-1]:.6g} to the right"
    )


def one_sided_slopes(f: Callable[[float], float], here: float, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Compute the slopes to the left and to the right of zero, each over the step, its half and its quarter."""
    steps = (step, step / 2, step / 4)
    left = [(here - float(f(-t))) / t for t in steps]
    right = [(float(f(t)) - here) / t for t in steps]
    return np.array(left), np.array(right)


def extrapolated(central: np.ndarray) -> float:
    r"""Cancel the terms in :math:`\eta^2` and :math:`\eta^4` of D at :math:`\eta, \eta/2, \eta/4`."""
    once = (4 * central[1:] - central[:-1]) / 3
    return float((16 * once[1] - once[0]) / 15)


def is_smooth(left: np.ndarray, right: np.ndarray, noise: float) -> bool:
    r"""Tell from the slopes over :math:`\eta, \eta/2, \eta/4` whether a function is smooth as far as they reach.

    Its slopes differ by odd powers of :math:`\eta`. If they still differ with :math:`\eta` and
    :math:`\eta^3` cancelled, there is a kink here; if the central differences do not settle, there is one
    nearby. Either is zero up to :math:`O(\eta^4)` for a smooth function, and NaN for one that is not finite.
    """
    with np.errstate(invalid="ignore"):
        d1, d2, d4 = (left + right) / 2
        j1, j2, j4 = right - left
        unrest, jump = abs(d1 - 5 * d2 + 4 * d4) / 3, abs(j1 - 10 * j2 + 16 * j4) / 7
    # the weights of the values add up to nine times those in `extrapolated`
    return bool(jump + unrest <= AGREEMENT * max(np.abs(left).max(), np.abs(right).max()) + 9 * noise)


def rounding(value: float, step: float) -> float:
    """Estimate the rounding error of a derivative over a step, of a function with this value."""
    return ROUNDING * abs(value) / step


def step_on_one_piece(piece: Callable[[float], np.ndarray]) -> float:
    """Find a step such that every point `derivative` evaluates is on the piece of the middle one."""
    here = piece(0.0)
    for step in STEPS:
        if all(np.array_equal(piece(t), here) for k in (1, 2, 4) for t in (step / k, -step / k)):
            return step
    raise UndefinedDerivativeError(
        f"no derivative: the function changes its smooth piece within {STEPS[-1]:.1e} of this point"
    )


def complex_step(f: Callable[[complex], complex]) -> float:
    r"""Differentiate an analytic function of one number at zero by a step along the imaginary axis.

    .. math::
        f(i \eta) = f(0) + i \eta f'(0) - \ldots \quad\Rightarrow\quad f'(0) = \mathrm{Im}\, f(i \eta) / \eta

    Nothing is subtracted, so nothing is cancelled, and with a tiny step the derivative is as good as the
    arithmetic of f (W. Squire, G. Trapp, SIAM Review 40, 1998, doi:10.1137/S003614459631241X).

    Valid only if f is analytic and computed as such: no absolute value, no maximum across its kink, no real
    part, no complex conjugate (take ``o @ o``, not ``np.linalg.norm``). The answer is therefore compared with
    `derivative`, to that one's accuracy.

    Parameters
    ----------
    f : callable
        ``f(t) -> number``, for real and complex ``t``; real for real ``t``.

    Returns
    -------
    float

    Raises
    ------
    NotAnalyticError
        If f refuses complex numbers, turns them into real ones, or has another derivative along the real axis.
    UndefinedDerivativeError
        If f has no derivative along the real axis.

    Examples
    --------
    >>> complex_step(lambda t: np.exp(3 * t))
    3.0
    >>> try:
    ...     complex_step(lambda t: abs(1 + t))
    ... except NotAnalyticError as error:
    ...     print(error)
    no complex step: the function makes a real number of a complex one
    """
    try:
        moved = f(complex(0.0, IMAGINARY_STEP))
    except TypeError as error:
        raise NotAnalyticError(f"no complex step: the function does not take complex numbers ({error})") from error
    if not np.iscomplexobj(moved):
        raise NotAnalyticError("no complex step: the function makes a real number of a complex one")
    comp = float(np.imag(moved) / IMAGINARY_STEP)
    ref = derivative(lambda t: np.real(f(t)))
    if not abs(comp - ref) <= AGREEMENT * max(abs(comp), abs(ref)) + rounding(max(1.0, abs(moved)), STEPS[0]):
        raise NotAnalyticError(
            f"no complex step: the slope is {comp:.6g} along the imaginary axis and {ref:.6g} along the real one"
        )
    return comp


# ---- functions of arrays ----


def directional(
    f: Callable[[], float],
    params: Sequence[np.ndarray],
    directions: Sequence[np.ndarray],
    piece: Callable[[], np.ndarray] | None = None,
) -> float:
    r"""Differentiate along a direction :math:`v`: :math:`\frac{d}{dt} f(\theta + t v)` at :math:`t = 0`.

    Six or seven evaluations unless a kink is near, whatever the number of parameters.

    Parameters
    ----------
    f : callable
        ``f() -> float``, reads ``params``.
    params : list of float64 arrays [read+write, left as they were]
    directions : list of arrays of the same shapes
    piece : callable or None
        ``piece() -> array``, reads ``params``; see `derivative`.

    Returns
    -------
    float

    Raises
    ------
    UndefinedDerivativeError
    """
    start = [p.copy() for p in params]

    def along(g: Callable[[], T]) -> Callable[[float], T]:
        def at(t: float) -> T:
            for p, p0, v in zip(params, start, directions, strict=True):
                p[...] = p0 + t * v
            return g()

        return at

    try:
        return derivative(along(f), None if piece is None else along(piece))
    finally:
        for p, p0 in zip(params, start, strict=True):
            p[...] = p0


def numerical_gradient(
    f: Callable[[], float],
    params: Sequence[np.ndarray],
    piece: Callable[[], np.ndarray] | None = None,
    names: Sequence[str] | None = None,
) -> list[np.ndarray]:
    """Differentiate by every element of every parameter array.

    Parameters
    ----------
    f, params, piece
        As in `directional`.
    names : list of str or None
        What an error shall call the arrays; None for "array 0" and so on.

    Returns
    -------
    list of float64 arrays of the shapes of ``params``

    Raises
    ------
    UndefinedDerivativeError
        With the element by which there is no derivative.

    Examples
    --------
    >>> w = np.array([[1.0, 2.0]])
    >>> numerical_gradient(lambda: (w**3).sum(), [w])[0].round(9)
    array([[ 3., 12.]])
    """
    grads = []
    for name, p in zip(names or numbered(params), params, strict=True):
        grad = np.empty(p.shape)
        for index in np.ndindex(p.shape):
            unit = np.zeros_like(p)
            unit[index] = 1
            try:
                grad[index] = directional(f, [p], [unit], piece)
            except UndefinedDerivativeError as error:
                raise UndefinedDerivativeError(f"{error} (along {name}{list(index)})") from error
        grads.append(grad)
    return grads


def numbered(params: Sequence[np.ndarray]) -> list[str]:
    """Name arrays that nobody has named: "array 0", "array 1" and so on."""
    return [f"array {i}" for i in range(len(params))]
