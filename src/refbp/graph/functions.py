r"""Functions of the elements, softmax, losses and the maximum: each operation with its rule beside it.

Rules use the stored output where the derivative is a function of it (:math:`f'(x)` from :math:`f(x)`), "to
reduce the number of common subexpressions" (Deep Learning, section 6.5.3).

Some of these functions have kinks and jumps. The convention there is the derivative from one side or an
average, named in the docstring; `refbp.numdiff` reports such points. A piecewise constant function has the
derivative zero. Only `ArgMax` has none, since its output is a label and not a quantity.
"""

import math
from collections.abc import Sequence

import numpy as np

from refbp import activations, losses
from refbp.graph.arithmetic import Sum, reduce_sum, reshape
from refbp.graph.variables import Operation, Shape, Variable, zeros

# ---- element by element ----


class Exp(Operation):
    """Exponential, :math:`f' = f`."""

    symbol = "exp"

    def f(self, x: np.ndarray) -> np.ndarray:
        return np.exp(x)

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        return G * self.output


class Log(Operation):
    """Natural logarithm, :math:`f' = 1/x`."""

    symbol = "log"

    def f(self, x: np.ndarray) -> np.ndarray:
        return np.log(x)

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        return G / inputs[0]


class Logistic(Operation):
    r"""Logistic sigmoid, :math:`f' = f (1 - f)`."""

    symbol = "logistic"

    def f(self, x: np.ndarray) -> np.ndarray:
        return activations.logistic(x)

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        return G * self.output * (1 - self.output)


class Tanh(Operation):
    r"""Hyperbolic tangent, :math:`f' = 1 - f^2`."""

    symbol = "tanh"

    def f(self, x: np.ndarray) -> np.ndarray:
        return np.tanh(x)

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        return G * (1 - self.output**2)


class Softplus(Operation):
    r"""Softplus :math:`\log(1 + e^x)`; :math:`f' = \sigma(x)`."""

    symbol = "softplus"

    def f(self, x: np.ndarray) -> np.ndarray:
        return activations.softplus(x)

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        return G * logistic(inputs[0])


class NormalCdf(Operation):
    r"""Normal distribution function :math:`\Phi(x)`; :math:`f' = e^{-x^2/2} / \sqrt{2\pi}`."""

    symbol = "normal_cdf"

    def f(self, x: np.ndarray) -> np.ndarray:
        return activations.normal_cdf(x)

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        return G * exp(-(inputs[0] ** 2) / 2) / math.sqrt(2 * math.pi)


class Relu(Operation):
    r"""Rectifier :math:`\max\{0, x\}` (section 6.5.7); :math:`f' = [x > 0]`, zero at the kink."""

    symbol = "relu"

    def f(self, x: np.ndarray) -> np.ndarray:
        return activations.relu(x)

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        return G * step(inputs[0])


class Step(Operation):
    """One where the element is positive, else zero; piecewise constant."""

    symbol = "step"

    def f(self, x: np.ndarray) -> np.ndarray:
        return (x > 0).astype(x.dtype)

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        return zeros(inputs[0].shape)


# ---- rows of unnormalized log probabilities ----


class Softmax(Operation):
    r"""Probabilities :math:`h_i = e^{x_i} / \sum_k e^{x_k}` along the last axis.

    The rule is that of `refbp.activations.softmax_backward`.
    """

    symbol = "softmax"

    def f(self, x: np.ndarray) -> np.ndarray:
        return activations.softmax(x)

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        h = self.output
        return h * (G - reduce_sum(G * h, axis=-1, keepdims=True))


class LogSoftmax(Operation):
    r"""Normalized log probabilities :math:`x_i - \log \sum_k e^{x_k}` along the last axis."""

    symbol = "log_softmax"

    def f(self, x: np.ndarray) -> np.ndarray:
        shifted = x - x.max(axis=-1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        return G - softmax(inputs[0]) * reduce_sum(G, axis=-1, keepdims=True)


# ---- losses of every example: inputs z and y (..., q), output (...) ----


def column(G: Variable) -> Variable:
    """Give the gradient on one number for each example a last axis to go with those of z and y."""
    return reshape(G, to=(*G.shape, 1)) if G.shape else G


class ExampleLoss(Operation):
    """A loss of every example."""

    def shape(self, *shapes: Shape) -> Shape:
        z, y = shapes
        if z != y:
            raise ValueError(f"outputs of shape {z} for targets of shape {y}")
        return z[:-1]


class CrossEntropy(ExampleLoss):
    r"""Cross-entropy on unnormalized log probabilities, :math:`-\sum_j y_j \log \mathrm{softmax}(z)_j`.

    The book's ``cross_entropy`` (section 6.5.7). Targets are one-hot or probabilities; the derivative
    :math:`\mathrm{softmax}(z) \sum_j y_j - y` holds as well if their sum is not one.
    """

    symbol = "cross_entropy"

    def f(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        return -(y * LogSoftmax().f(z)).sum(axis=-1)

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        z, y = inputs
        if k == 0:
            return column(G) * (softmax(z) * reduce_sum(y, axis=-1, keepdims=True) - y)
        return column(-G) * log_softmax(z)


class SquaredError(ExampleLoss):
    r"""Half the squared error, :math:`\frac12 \sum_j (z_j - y_j)^2`; derivative :math:`z - y`."""

    symbol = "squared_error"

    def f(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        return 0.5 * ((z - y) ** 2).sum(axis=-1)

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        return column(G) * (inputs[k] - inputs[1 - k])


class BinaryCrossEntropy(ExampleLoss):
    r"""Cross-entropy of logits, :math:`\sum_j \log(1 + e^{z_j}) - y_j z_j`; derivative :math:`\sigma(z) - y`."""

    symbol = "binary_cross_entropy"

    def f(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        softplus = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
        return (softplus - y * z).sum(axis=-1)

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        z, y = inputs
        return column(G) * (logistic(z) - y) if k == 0 else column(-G) * z


class Poisson(ExampleLoss):
    r"""Half the Poisson deviance, :math:`\sum_j y_j \log y_j - y_j z_j - y_j + e^{z_j}`; derivative :math:`e^z - y`.

    By a target that is zero there is no derivative; its number is infinite.
    """

    symbol = "poisson"

    def f(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (losses.xlogy(y, y) - y * z - y + np.exp(z)).sum(axis=-1)

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        z, y = inputs
        return column(G) * (exp(z) - y if k == 0 else log(y) - z)


# ---- maximum ----


class Max(Sum):
    """Largest element along axes, all of them if ``axis`` is None; at ties the gradient is shared equally."""

    symbol = "max"

    def f(self, a: np.ndarray) -> np.ndarray:
        return a.max(axis=self.axis, keepdims=self.keepdims)

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        (a,) = inputs
        return self.spread(G, a.shape) * Winners.apply(a, axis=self.axis)


class Winners(Operation):
    """Share of every element in being the largest: one over the number of ties, or zero; piecewise constant."""

    symbol = "winners"

    def __init__(self, axis: int | tuple[int, ...] | None) -> None:
        self.axis = axis

    def f(self, a: np.ndarray) -> np.ndarray:
        largest = (a == a.max(axis=self.axis, keepdims=True)).astype(a.dtype)
        return largest / largest.sum(axis=self.axis, keepdims=True)

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        return zeros(inputs[0].shape)


class ArgMax(Operation):
    """Number of the largest element along the last axis: the class that is predicted. It has no derivative."""

    symbol = "argmax"

    def f(self, a: np.ndarray) -> np.ndarray:
        return a.argmax(axis=-1).astype(a.dtype)

    def shape(self, *shapes: Shape) -> Shape:
        return shapes[0][:-1]


exp, log, logistic, tanh = Exp.apply, Log.apply, Logistic.apply, Tanh.apply
softplus, normal_cdf = Softplus.apply, NormalCdf.apply
relu, step, softmax, log_softmax = Relu.apply, Step.apply, Softmax.apply, LogSoftmax.apply
cross_entropy, squared_error = CrossEntropy.apply, SquaredError.apply
binary_cross_entropy, poisson = BinaryCrossEntropy.apply, Poisson.apply
reduce_max, argmax = Max.apply, ArgMax.apply
