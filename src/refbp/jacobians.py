r"""Partial derivative, gradient and Jacobian, as the notes of Deep Learning 6.5.6 define them.

"The partial derivative :math:`\frac{\partial}{\partial x_i} f(x)` measures how f changes as only the variable
:math:`x_i` increases at point x. [...] The gradient of f is the vector containing all the partial derivatives"
(note 2). "If we have a function :math:`f: \mathbb R^m \to \mathbb R^n`, then the Jacobian matrix
:math:`J \in \mathbb R^{n \times m}` of f is defined such that
:math:`J_{i,j} = \frac{\partial}{\partial x_j} f(x)_i`" (note 1).

For tensors the indices i and j are tuples (section 6.5.2): a gradient has the shape of its variable, a
Jacobian the shape of f(x) followed by that of x. Each entry is computed for itself from values of f, by
`refbp.numdiff.derivative` or, if f is analytic, by `refbp.numdiff.complex_step`. `refbp.chain_rule` multiplies
them.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from refbp.numdiff import UndefinedDerivativeError, derivative

Rule = Callable[[Callable[[Any], Any]], float]
"""How to differentiate a function of one number at zero: `derivative` or `complex_step`."""


def partial_derivative(
    f: Callable[[np.ndarray], Any], x: np.ndarray, index: tuple[int, ...], rule: Rule = derivative
) -> float:
    r"""Compute :math:`\partial f(x) / \partial x_i`: only the variable :math:`x_i` moves.

    Parameters
    ----------
    f : callable
        ``f(x) -> number``.
    x : float64 array of any shape [read]
    index : tuple of int
        The index i into x.
    rule : callable
        `refbp.numdiff.derivative` or `refbp.numdiff.complex_step`.

    Returns
    -------
    float

    Raises
    ------
    UndefinedDerivativeError
    """
    unit = np.zeros(x.shape)
    unit[index] = 1
    return rule(lambda t: f(x + t * unit))


def gradient(f: Callable[[np.ndarray], Any], x: np.ndarray, rule: Rule = derivative) -> np.ndarray:
    r"""Collect the partial derivatives of a number, :math:`(\nabla_x f)_i = \partial f(x) / \partial x_i`.

    Parameters
    ----------
    f, x, rule
        As in `partial_derivative`.

    Returns
    -------
    array of the shape of x

    Raises
    ------
    UndefinedDerivativeError
        With the variable by which there is no derivative.

    Examples
    --------
    >>> gradient(lambda x: x[0] * x[1] ** 2, np.array([3.0, 2.0])).round(9)
    array([ 4., 12.])
    """
    grad = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        try:
            grad[index] = partial_derivative(f, x, index, rule)
        except UndefinedDerivativeError as error:
            raise UndefinedDerivativeError(f"{error} (along x{list(index)})") from error
    return grad


def jacobian(f: Callable[[np.ndarray], Any], x: np.ndarray, rule: Rule = derivative) -> np.ndarray:
    r"""Collect the gradients of all elements of a tensor, :math:`J_{i,j} = \partial f(x)_i / \partial x_j`.

    Parameters
    ----------
    f : callable
        ``f(x) -> array`` of any shape.
    x, rule
        As in `partial_derivative`.

    Returns
    -------
    array of the shape of f(x), followed by that of x

    Raises
    ------
    UndefinedDerivativeError
        As in `gradient`.

    Examples
    --------
    The Jacobian of :math:`x \mapsto A x` is A:

    >>> a = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    >>> jacobian(lambda x: a @ x, np.ones(3)).round(9)
    array([[1., 2., 3.],
           [4., 5., 6.]])
    """

    def element(i: tuple[int, ...]) -> Callable[[np.ndarray], Any]:
        return lambda x: np.asarray(f(x))[i]

    y_shape = np.shape(f(x))
    return np.array([gradient(element(i), x, rule) for i in np.ndindex(y_shape)]).reshape(y_shape + x.shape)
