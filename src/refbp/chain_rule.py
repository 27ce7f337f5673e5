r"""The chain rule for tensors of any shape: D2L's ``prod``.

D2L, "Back Propagation", and the slides: for :math:`\mathsf Y = f(\mathsf X)` and
:math:`\mathsf Z = g(\mathsf Y)`,

.. math::
    \frac{\partial \mathsf Z}{\partial \mathsf X}
    = \mathrm{prod}\Big(\frac{\partial \mathsf Z}{\partial \mathsf Y},
                        \frac{\partial \mathsf Y}{\partial \mathsf X}\Big)

where prod multiplies "after the necessary operations (such as transposition and swapping input positions)".
With all indices written out it is one formula (Deep Learning, equations 6.45 to 6.47),

.. math::
    \frac{\partial \mathsf Z_z}{\partial \mathsf X_x}
    = \sum_y \frac{\partial \mathsf Z_z}{\partial \mathsf Y_y} \frac{\partial \mathsf Y_y}{\partial \mathsf X_x}

and what is necessary follows from which indices the Jacobian :math:`\partial \mathsf Y / \partial \mathsf X`
has. Most of its entries are zero in a network: a unit's pre-activation depends on the weights of that unit
only. A `Factored` Jacobian leaves the zeros out, which turns the sum into :math:`G h^{\mathsf T}`,
:math:`W^{\mathsf T} G` or :math:`G \odot \phi'(z)`.
"""

from typing import NamedTuple

import numpy as np


class Factored(NamedTuple):
    r"""A Jacobian :math:`\partial \mathsf Y / \partial \mathsf X` as one factor, and where its indices belong.

    ========================  =================================================  ==========  ============
    operation                 Jacobian                                           factor      indices
    ========================  =================================================  ==========  ============
    ``y = w @ x``, by x       :math:`\partial y_i/\partial x_k = w_{ik}`         ``w``       ``i,ik->k``
    ``y = w @ x``, by w       :math:`\partial y_i/\partial w_{jk} = [i = j]x_k`  ``x``       ``i,k->ik``
    ``y = phi(x)``            :math:`\partial y_i/\partial x_j = [i = j]\phi'`   ``phi'(x)`` ``i,i->i``
    ========================  =================================================  ==========  ============

    Attributes
    ----------
    factor : array
    indices : str
        ``"Y,factor->X"``, one letter for each axis. An index that X shares with Y stands for the
        :math:`[i = j]` of the Jacobian: it is not summed.
    """

    factor: np.ndarray
    indices: str


def prod(dz_dy: np.ndarray | float, dy_dx: np.ndarray | Factored, *, z_ndim: int = 0) -> np.ndarray:
    r"""Multiply two derivatives, :math:`\sum_y (\partial z/\partial y) (\partial y/\partial x)`.

    Parameters
    ----------
    dz_dy : array of the shape of Z, followed by that of Y
    dy_dx : array of the shape of Y, followed by that of X; or Factored
    z_ndim : int
        Number of axes of Z; zero for an objective.

    Returns
    -------
    array of the shape of Z, followed by that of X

    Examples
    --------
    A product of a Jacobian with a gradient (equation 6.46), and the same Jacobian with all its zeros and
    without:

    >>> w, g = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), np.array([10.0, 1.0])
    >>> prod(g, w)
    array([14., 25., 36.])
    >>> phi_prime = np.array([2.0, 0.0])
    >>> prod(g, np.diag(phi_prime)), prod(g, Factored(phi_prime, "i,i->i"))
    (array([20.,  0.]), array([20.,  0.]))
    """
    if isinstance(dy_dx, Factored):
        y_and_factor, x = dy_dx.indices.split("->")
        # the axes of Z come first and stay
        return np.einsum(f"...{y_and_factor}->...{x}", dz_dy, dy_dx.factor)
    return np.tensordot(dz_dy, dy_dx, axes=np.ndim(dz_dy) - z_ndim)
