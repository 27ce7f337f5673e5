r"""Checks of a gradient against finite differences, and of second derivatives against those of the gradient.

A check that passes returns a `refbp.gradcheck_report.GradcheckReport`. One that fails raises a `GradcheckError`
that holds the report, so that a failure cannot go unnoticed.

The error of an array is relative to its norm. A difference no larger than the rounding error of finite
differences counts as zero.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from refbp.gradcheck_report import Element, GradcheckReport, accept, demand_gradient, relative_error
from refbp.numdiff import STEPS, directional, numbered, numerical_gradient, rounding

RandomNumbers = np.random.Generator | np.random.RandomState


def gradcheck(
    f: Callable[[], float],
    params: Sequence[np.ndarray],
    grads: Sequence[np.ndarray],
    *,
    rtol: float = 1e-7,
    piece: Callable[[], np.ndarray] | None = None,
    names: Sequence[str] | None = None,
) -> GradcheckReport:
    """Check every element of a gradient against finite differences.

    Parameters
    ----------
    f, params, piece
        As in `refbp.numdiff.directional`.
    grads : list of arrays
        The gradient in question.
    rtol : float
        Largest `relative_error` of any of the arrays.
    names : list of str or None
        What to call the arrays; None for "array 0" and so on.

    Returns
    -------
    GradcheckReport

    Raises
    ------
    GradcheckError
        An AssertionError: if the two disagree, if shapes differ, if the gradient is not finite, or if it is
        zero everywhere (which would prove nothing).
    UndefinedDerivativeError
        If there is no derivative to compare with.

    Examples
    --------
    >>> w = np.array([[1.0, 2.0]])
    >>> gradcheck(lambda: (w**2).sum(), [w], [2 * w]).extent
    '2 elements of 1 array'
    >>> try:
    ...     gradcheck(lambda: (w**2).sum(), [w], [np.array([[2.0, 5.0]])], names=["w"])
    ... except AssertionError as error:
    ...     print(error.report.worst)
    w[0, 1]: analytic 5, numeric 4, relative error 2.0e-01
    """
    return accept(compare("gradient check", f, params, grads, rtol, piece, names or numbered(params)))


def compare(
    check: str,
    f: Callable[[], float],
    params: Sequence[np.ndarray],
    grads: Sequence[np.ndarray],
    rtol: float,
    piece: Callable[[], np.ndarray] | None,
    names: Sequence[str],
) -> GradcheckReport:
    """Compare a gradient with the numerical one, element by element, and report on the worst."""
    demand_gradient(params, grads, names)
    refs = numerical_gradient(f, params, piece, names)
    floor = noise(f) / rtol
    errors = [relative_error(ref, comp, floor) for ref, comp in zip(refs, grads, strict=True)]
    i = int(np.argmax(errors))
    ref, comp = refs[i], grads[i]
    index = tuple(map(int, np.unravel_index(np.abs(ref - comp).argmax(), ref.shape)))
    worst = Element(names[i], index, float(comp[index]), float(ref[index]))
    extent = f"{sum(p.size for p in params)} elements of {len(params)} array{'s' * (len(params) > 1)}"
    return GradcheckReport(check, extent, errors[i], rtol, worst)


def gradcheck_directional(
    f: Callable[[], float],
    params: Sequence[np.ndarray],
    grads: Sequence[np.ndarray],
    *,
    rng: RandomNumbers,
    n_directions: int = 3,
    rtol: float = 1e-7,
    piece: Callable[[], np.ndarray] | None = None,
    names: Sequence[str] | None = None,
) -> GradcheckReport:
    r"""Check along random directions that :math:`\frac{d}{dt} f(\theta + t v) = \langle \nabla f, v \rangle`.

    For large functions: a handful of evaluations, whatever the number of parameters. The direction has norm
    one, so the error is compared with the norm of the whole gradient, and an array that is small beside the
    others may hide. Only when the check fails are there more evaluations, to find an element to blame.

    Parameters
    ----------
    f, params, grads, rtol, piece, names
        As in `gradcheck`.
    rng : numpy Generator or RandomState
        Draws the directions.
    n_directions : int

    Returns
    -------
    GradcheckReport

    Raises
    ------
    GradcheckError, UndefinedDerivativeError
        As in `gradcheck`.
    """
    names = names or numbered(params)
    demand_gradient(params, grads, names)
    scale = max(float(np.sqrt(inner(grads, grads))), noise(f) / rtol)
    reports = []
    for k in range(n_directions):
        v = random_direction(params, rng)
        worst = Element("direction", (k,), inner(grads, v), directional(f, params, v, piece))
        error = abs(worst.analytic - worst.numeric) / scale
        if error > rtol:
            worst = blame(f, params, grads, v, piece, names)
        extent = f"{k + 1} random direction{'s' * (k > 0)}"
        reports.append(accept(GradcheckReport("directional check", extent, error, rtol, worst)))
    return max(reports, key=lambda report: report.error)


def gradgradcheck(
    gradients: Callable[[], Sequence[np.ndarray]],
    params: Sequence[np.ndarray],
    products: Callable[[Sequence[np.ndarray]], Sequence[np.ndarray]],
    *,
    rng: RandomNumbers,
    n_directions: int = 3,
    rtol: float = 1e-7,
    piece: Callable[[], np.ndarray] | None = None,
    names: Sequence[str] | None = None,
) -> GradcheckReport:
    r"""Check second derivatives against finite differences of the gradient.

    With the Hessian :math:`H` and a random direction :math:`v`, the gradient of the number
    :math:`\langle \nabla f(\theta), v \rangle` is :math:`H v`. It is compared element by element.

    Parameters
    ----------
    gradients : callable
        ``gradients() -> list of arrays``, the gradient by ``params``, which it reads.
    params : list of float64 arrays [read+write, left as they were]
    products : callable
        ``products(v) -> list of arrays``: the second derivatives in question, times a direction.
    rng, n_directions
        As in `gradcheck_directional`.
    rtol, piece, names
        As in `gradcheck`.

    Returns
    -------
    GradcheckReport

    Raises
    ------
    GradcheckError, UndefinedDerivativeError
        As in `gradcheck`.

    Examples
    --------
    The gradient of :math:`\sum_i w_i^4 / 4` is :math:`w^3`, and that one's derivative is 3 w^2:

    >>> w = np.array([1.0, 2.0])
    >>> rng = np.random.default_rng(0)
    >>> gradgradcheck(lambda: [w**3], [w], lambda v: [3 * w**2 * v[0]], rng=rng).passed
    True
    """
    names = names or numbered(params)
    reports = []
    for _ in range(n_directions):
        v = random_direction(params, rng)
        projection = partial(projected, gradients, v)
        report = compare("second-derivative check", projection, params, products(v), rtol, piece, names)
        reports.append(accept(report))
    return max(reports, key=lambda report: report.error)


def blame(
    f: Callable[[], float],
    params: Sequence[np.ndarray],
    grads: Sequence[np.ndarray],
    v: Sequence[np.ndarray],
    piece: Callable[[], np.ndarray] | None,
    names: Sequence[str],
) -> Element:
    """Find an element that is off: halve a direction, stay with the half that is further off, until one is left.

    The errors along two halves add up to the error along both, so a halving costs one slope.
    """
    flat_v, flat_g = (np.concatenate([part.ravel() for part in parts]) for parts in (v, grads))
    ends = np.cumsum([p.size for p in params])

    def slope(part: np.ndarray) -> float:
        parts = np.split(part, ends[:-1])
        return directional(f, params, [q.reshape(p.shape) for q, p in zip(parts, params, strict=True)], piece)

    def error(start: int, stop: int) -> float:
        part = np.zeros(flat_v.size)
        part[start:stop] = flat_v[start:stop]
        return slope(part) - float(part @ flat_g)

    start, stop = 0, flat_v.size
    off = error(start, stop)
    while stop - start > 1:
        middle = (start + stop) // 2
        first = error(start, middle)
        second = off - first
        if abs(first) > abs(second):
            stop, off = middle, first
        else:
            start, off = middle, second
    unit = np.zeros(flat_v.size)
    unit[start] = 1
    i = int(np.searchsorted(ends, start, side="right"))
    index = np.unravel_index(start - (ends[i] - params[i].size), params[i].shape)
    return Element(names[i], tuple(map(int, index)), float(flat_g[start]), slope(unit))


def projected(gradients: Callable[[], Sequence[np.ndarray]], v: Sequence[np.ndarray]) -> float:
    r"""Compute :math:`\langle \nabla f(\theta), v \rangle`."""
    return inner(gradients(), v)


def noise(f: Callable[[], float]) -> float:
    """Estimate the rounding error of finite differences of a function with this value."""
    return rounding(float(f()), STEPS[0])


def inner(a: Sequence[np.ndarray], b: Sequence[np.ndarray]) -> float:
    r"""Compute :math:`\langle a, b \rangle` of two lists of arrays."""
    return sum(float((x * y).sum()) for x, y in zip(a, b, strict=True))


def random_direction(params: Sequence[np.ndarray], rng: RandomNumbers) -> list[np.ndarray]:
    """Draw a direction of norm one."""
    v = [rng.standard_normal(p.shape) for p in params]
    length = np.sqrt(inner(v, v))
    return [part / length for part in v]
