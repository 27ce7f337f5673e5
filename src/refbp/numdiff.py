r"""Finite differences: the derivative from function values alone, and checks of a gradient against it.

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
Learning 6.5, introduction). Given a function that tells which smooth piece a point is on, these routines
shorten their step until all points lie on one piece, and raise `UndefinedDerivativeError` if no step does.

Functions take no arguments and read the parameter arrays, which are changed in place between two evaluations
and put back exactly.
"""

from collections.abc import Callable, Sequence

import numpy as np

STEP = 2.0**-6
"""Largest step; the extrapolation goes down to a quarter of it."""

SHORTER = 2.0**-4
"""Factor by which the step is shortened to stay on one smooth piece..."""

SHORTENINGS = 3
"""...and how often, before the derivative is reported as undefined."""


class UndefinedDerivativeError(ArithmeticError):
    """The function has a kink at this point, or too near to it for finite differences."""


def derivative(f: Callable[[float], float], piece: Callable[[float], np.ndarray] | None = None) -> float:
    """Differentiate a function of one number at zero.

    Parameters
    ----------
    f : callable
        ``f(t) -> float``.
    piece : callable or None
        ``piece(t) -> array`` that is constant where f is smooth, for instance the signs of everything whose
        absolute value f takes.

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
    ...     derivative(abs, piece=np.sign)
    ... except UndefinedDerivativeError as error:
    ...     print(error)
    no derivative: the function changes its smooth piece within 9.5e-07 of this point
    """
    step = STEP
    if piece is not None:
        step = step_on_one_piece(piece)
    d1, d2, d4 = (central_difference(f, step / k) for k in (1, 2, 4))
    once, again = (4 * d2 - d1) / 3, (4 * d4 - d2) / 3
    return (16 * again - once) / 15


def central_difference(f: Callable[[float], float], step: float) -> float:
    r"""Compute :math:`(f(\eta) - f(-\eta)) / 2 \eta`, of second order in the step."""
    return (float(f(step)) - float(f(-step))) / (2 * step)


def step_on_one_piece(piece: Callable[[float], np.ndarray]) -> float:
    """Find a step such that every point `derivative` evaluates is on the piece of the middle one."""
    here = piece(0.0)
    step = STEP
    for _ in range(SHORTENINGS + 1):
        if all(np.array_equal(piece(t), here) for k in (1, 2, 4) for t in (step / k, -step / k)):
            return step
        step *= SHORTER
    raise UndefinedDerivativeError(
        f"no derivative: the function changes its smooth piece within {step / SHORTER / 4:.1e} of this point"
    )


def directional(
    f: Callable[[], float],
    params: Sequence[np.ndarray],
    directions: Sequence[np.ndarray],
    piece: Callable[[], np.ndarray] | None = None,
) -> float:
    r"""Differentiate along a direction :math:`v`: :math:`\frac{d}{dt} f(\theta + t v)` at :math:`t = 0`.

    Six evaluations, whatever the number of parameters.

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
    """
    start = [p.copy() for p in params]

    def move(t: float) -> None:
        for p, p0, v in zip(params, start, directions, strict=True):
            p[...] = p0 + t * v

    def along(t: float) -> float:
        move(t)
        return f()

    def piece_along(t: float) -> np.ndarray:
        move(t)
        assert piece is not None
        return piece()

    try:
        return derivative(along, piece_along if piece is not None else None)
    finally:
        for p, p0 in zip(params, start, strict=True):
            p[...] = p0


def numerical_gradient(
    f: Callable[[], float],
    params: Sequence[np.ndarray],
    piece: Callable[[], np.ndarray] | None = None,
) -> list[np.ndarray]:
    """Differentiate by every entry of every parameter array.

    Parameters and errors are those of `directional`.

    Returns
    -------
    list of float64 arrays of the shapes of ``params``

    Examples
    --------
    >>> w = np.array([[1.0, 2.0]])
    >>> numerical_gradient(lambda: (w**3).sum(), [w])[0].round(9)
    array([[ 3., 12.]])
    """
    grads = []
    for p in params:
        grad = np.empty(p.shape)
        for index in np.ndindex(p.shape):
            unit = np.zeros_like(p)
            unit[index] = 1
            grad[index] = directional(f, [p], [unit], piece)
        grads.append(grad)
    return grads


def relative_error(ref: np.ndarray, comp: np.ndarray) -> float:
    r"""Compare two arrays in norm: :math:`\|ref - comp\| / \max(\|ref\|, \|comp\|)`, zero if both are zero.

    Examples
    --------
    >>> relative_error(np.array([3.0, 4.0]), np.array([3.0, 4.5])) < 0.1
    True
    """
    scale = max(np.linalg.norm(ref), np.linalg.norm(comp))
    return 0.0 if scale == 0 else float(np.linalg.norm(ref - comp) / scale)


def check_gradient(
    f: Callable[[], float],
    params: Sequence[np.ndarray],
    grads: Sequence[np.ndarray],
    *,
    rtol: float = 1e-7,
    piece: Callable[[], np.ndarray] | None = None,
) -> None:
    """Check every entry of a gradient against finite differences.

    Parameters
    ----------
    f, params, piece
        As in `directional`.
    grads : list of arrays
        The gradient in question.
    rtol : float
        Largest `relative_error` of any of the arrays.

    Raises
    ------
    AssertionError
        If they disagree, if shapes differ, or if the gradient is zero everywhere (which would prove nothing).
    UndefinedDerivativeError
        If there is no derivative to compare with.
    """
    assert len(grads) == len(params), f"{len(grads)} gradients for {len(params)} parameter arrays"
    assert any(np.any(g) for g in grads), "gradient check is void: the gradient is zero everywhere"
    for i, (ref, comp) in enumerate(zip(numerical_gradient(f, params, piece), grads, strict=True)):
        assert ref.shape == comp.shape, f"gradient {i} has shape {comp.shape}, its parameter {ref.shape}"
        error = relative_error(ref, comp)
        worst = np.unravel_index(np.abs(ref - comp).argmax(), ref.shape)
        assert error <= rtol, (
            f"gradient check failed: array {i} has relative error {error:.1e} > {rtol:.0e};"
            f" at {tuple(map(int, worst))} it is {comp[worst]:.10g}, finite differences say {ref[worst]:.10g}"
        )


def check_directional(
    f: Callable[[], float],
    params: Sequence[np.ndarray],
    grads: Sequence[np.ndarray],
    *,
    rng: np.random.Generator | np.random.RandomState,
    n_directions: int = 3,
    rtol: float = 1e-7,
    piece: Callable[[], np.ndarray] | None = None,
) -> None:
    r"""Check along random directions that :math:`\frac{d}{dt} f(\theta + t v) = \langle \nabla f, v \rangle`.

    A handful of evaluations whatever the number of parameters, at the price of not telling which entry is
    wrong. The direction has norm one, so the error is compared with the norm of the gradient.

    Parameters
    ----------
    f, params, grads, rtol, piece
        As in `check_gradient`.
    rng : numpy Generator or RandomState
        Draws the directions.
    n_directions : int

    Raises
    ------
    AssertionError, UndefinedDerivativeError
        As in `check_gradient`.
    """
    norm = np.sqrt(sum(float((g**2).sum()) for g in grads))
    assert norm > 0, "gradient check is void: the gradient is zero everywhere"
    for _ in range(n_directions):
        directions = [rng.standard_normal(p.shape) for p in params]
        length = np.sqrt(sum((v**2).sum() for v in directions))
        directions = [v / length for v in directions]
        ref = directional(f, params, directions, piece)
        comp = sum(float((g * v).sum()) for g, v in zip(grads, directions, strict=True))
        error = abs(ref - comp) / norm
        assert error <= rtol, (
            f"directional check failed: relative error {error:.1e} > {rtol:.0e};"
            f" the gradient says {comp:.10g}, finite differences say {ref:.10g}"
        )
