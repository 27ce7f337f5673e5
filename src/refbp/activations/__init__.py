r"""Activation functions :math:`h = \phi(z)`, each with its back-propagation rule beside it.

A rule carries the gradient from the function's output to its input, a Jacobian-gradient product (Deep
Learning, equation 6.46):

.. math::
    \nabla_z J = \Big(\frac{\partial h}{\partial z}\Big)^{\mathsf T} \nabla_h J

For the functions that act on each element alone the Jacobian is diagonal, and the product is D2L's
:math:`\partial J/\partial z = \partial J/\partial h \odot \phi'(z)`.

Files: `record` (what describes a function), `classic` (scikit-learn's hidden activations), `output`,
`rectifiers`, `smooth`. A new activation is one record in one of them; all lists of names follow from it.
"""

from refbp.activations.classic import CLASSIC, logistic, relu, relu_backward
from refbp.activations.output import OUTPUT, softmax, softmax_backward
from refbp.activations.record import Activation
from refbp.activations.rectifiers import RECTIFIERS
from refbp.activations.smooth import SMOOTH, normal_cdf, softplus

ACTIVATIONS: dict[str, Activation] = {**CLASSIC, **RECTIFIERS, **SMOOTH, **OUTPUT}
"""All activation functions by name."""

HIDDEN_ACTIVATIONS = tuple(name for name, activation in ACTIVATIONS.items() if activation.formula is not None)
"""Names of those that a hidden layer may have; softmax and exp are for the output."""

__all__ = [
    "ACTIVATIONS",
    "HIDDEN_ACTIVATIONS",
    "Activation",
    "logistic",
    "normal_cdf",
    "relu",
    "relu_backward",
    "softmax",
    "softmax_backward",
    "softplus",
]
