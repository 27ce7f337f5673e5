r"""Arithmetic with broadcasting, sums, and matrix products: each operation with its rules beside it.

``rule(k, inputs, G)`` is the Jacobian-gradient product of equation 6.46 for argument number ``k``. It is
written with operations, so that a derivative is a graph again and can be differentiated again
("symbol-to-symbol", Deep Learning, section 6.5.3).
"""

import math
from collections.abc import Sequence

import numpy as np

from refbp.graph.variables import Operation, Shape, Variable, zeros

Axis = int | tuple[int, ...] | None

# ---- shapes ----


class Transpose(Operation):
    """Reverse the axes."""

    symbol = "transpose"
    view = True

    def f(self, a: np.ndarray) -> np.ndarray:
        return a.T

    def shape(self, *shapes: Shape) -> Shape:
        return shapes[0][::-1]

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        return G.T


class Reshape(Operation):
    """Arrange the same elements in another shape, ``to``."""

    symbol = "reshape"
    view = True  # NumPy copies where strides forbid a view; no rule makes such a case

    def __init__(self, to: Shape) -> None:
        self.to = to

    def f(self, a: np.ndarray) -> np.ndarray:
        return np.reshape(a, self.to)

    def shape(self, *shapes: Shape) -> Shape:
        if math.prod(shapes[0]) != math.prod(self.to):
            raise ValueError(f"{shapes[0]} and {self.to} differ in their number of elements")
        return self.to

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        return reshape(G, to=inputs[0].shape)


class BroadcastTo(Operation):
    """Repeat along new axes in front, and along axes of length one, into the shape ``to``."""

    symbol = "broadcast"
    view = True

    def __init__(self, to: Shape) -> None:
        self.to = to

    def f(self, a: np.ndarray) -> np.ndarray:
        return np.broadcast_to(a, self.to)

    def shape(self, *shapes: Shape) -> Shape:
        return np.broadcast_shapes(*shapes, self.to)

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        return unbroadcast(G, inputs[0].shape)


def unbroadcast(G: Variable, shape: Shape) -> Variable:
    """Sum a gradient over the axes along which an operand of this shape was repeated.

    The repeated elements are many consumers of one: their gradients are summed.
    """
    ahead = len(G.shape) - len(shape)
    if ahead:
        G = reduce_sum(G, axis=tuple(range(ahead)))
    stretched = tuple(i for i, (n, m) in enumerate(zip(shape, G.shape, strict=True)) if n != m)
    return reduce_sum(G, axis=stretched, keepdims=True) if stretched else G


# ---- sums ----


def reduced(shape: Shape, axis: Axis, keepdims: bool) -> Shape:
    """Take the axes that are reduced out of a shape, or make them of length one."""
    axes = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    gone = {i % len(shape) for i in axes}
    return tuple(1 if i in gone else n for i, n in enumerate(shape) if keepdims or i not in gone)


class Sum(Operation):
    """Sum over axes, all of them if ``axis`` is None."""

    symbol = "sum"

    def __init__(self, axis: Axis = None, keepdims: bool = False) -> None:
        self.axis, self.keepdims = axis, keepdims

    def f(self, a: np.ndarray) -> np.ndarray:
        return a.sum(axis=self.axis, keepdims=self.keepdims)

    def shape(self, *shapes: Shape) -> Shape:
        return reduced(shapes[0], self.axis, self.keepdims)

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        return self.spread(G, inputs[0].shape)

    def spread(self, G: Variable, shape: Shape) -> Variable:
        """Give every element that was summed over the gradient of its sum."""
        if G.shape and not self.keepdims:
            G = reshape(G, to=reduced(shape, self.axis, keepdims=True))
        return broadcast_to(G, to=shape)


class Mean(Sum):
    """Mean over axes, all of them if ``axis`` is None."""

    symbol = "mean"

    def f(self, a: np.ndarray) -> np.ndarray:
        return a.mean(axis=self.axis, keepdims=self.keepdims)

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        (a,) = inputs
        return self.spread(G / (math.prod(a.shape) // math.prod(G.shape)), a.shape)


class SquaredNorm(Operation):
    r"""Squared Frobenius norm :math:`\|W\|_F^2 = \sum_{ij} W_{ij}^2`, the penalty's (D2L)."""

    symbol = "squared_norm"

    def f(self, a: np.ndarray) -> np.ndarray:
        return (a * a).sum()

    def shape(self, *shapes: Shape) -> Shape:
        return ()

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        return 2 * G * inputs[0]


# ---- element by element ----


class Add(Operation):
    """Sum of two variables."""

    symbol = "+"

    def f(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a + b

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        return unbroadcast(G, inputs[k].shape)


class Subtract(Operation):
    """Difference of two variables."""

    symbol = "-"

    def f(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a - b

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        return unbroadcast(G if k == 0 else -G, inputs[k].shape)


class Negate(Operation):
    """The variable with its sign changed."""

    symbol = "negate"

    def f(self, a: np.ndarray) -> np.ndarray:
        return -a

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        return -G


class Multiply(Operation):
    """Product of two variables, element by element."""

    symbol = "*"

    def f(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a * b

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        return unbroadcast(G * inputs[1 - k], inputs[k].shape)


class Divide(Operation):
    """Quotient of two variables, element by element."""

    symbol = "/"

    def f(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a / b

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        by_dividend = G / inputs[1]
        return unbroadcast(by_dividend if k == 0 else -(by_dividend * self.output), inputs[k].shape)


class Power(Operation):
    """Raise to a constant power, element by element; a variable one is ``exp(p * log(a))``."""

    symbol = "power"

    def __init__(self, exponent: float) -> None:
        self.exponent = exponent
        self.symbol = "sqr" if exponent == 2 else f"power {exponent}"

    def f(self, a: np.ndarray) -> np.ndarray:
        return a**self.exponent

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        (a,), p = inputs, self.exponent
        if p == 0:
            return zeros(a.shape)
        return G * (p * (a if p == 2 else a ** (p - 1)))


# ---- products ----


class MatMul(Operation):
    r"""Matrix product :math:`C = A B`, or of a matrix and a vector.

    With the gradient :math:`G` by :math:`C`, that by :math:`A` is :math:`G B^{\mathsf T}` and that by :math:`B`
    is :math:`A^{\mathsf T} G` (section 6.5.6). Where the other factor is a vector, either is an outer product.
    """

    symbol = "matmul"

    def f(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a @ b

    def shape(self, *shapes: Shape) -> Shape:
        a, b = shapes
        if not (0 < len(a) <= 2 and 0 < len(b) <= 2 and a[-1] == b[0]):
            raise ValueError(f"no product of matrices of shapes {a} and {b}")
        return a[:-1] + b[1:]

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        A, B = inputs
        if k == 0:
            return G @ B.T if len(B.shape) == 2 else outer(G, B)
        return A.T @ G if len(A.shape) == 2 else outer(A, G)

    def multiply_adds(self, *shapes: Shape) -> int:
        a, b = shapes
        return math.prod(a + b[1:])


class Outer(Operation):
    r"""Outer product :math:`a b^{\mathsf T}` of two vectors, as in D2L's :math:`\partial J/\partial o \, h^\top`."""

    symbol = "outer"

    def f(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.outer(a, b)

    def shape(self, *shapes: Shape) -> Shape:
        (m,), (n,) = shapes
        return (m, n)

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        a, b = inputs
        return G @ b if k == 0 else a @ G

    def multiply_adds(self, *shapes: Shape) -> int:
        (m,), (n,) = shapes
        return m * n


def outer(a: Variable, b: Variable) -> Variable:
    """Multiply every element of one variable with every one of the other: vectors, or numbers."""
    return Outer.apply(a, b) if a.shape and b.shape else a * b


reshape, broadcast_to = Reshape.apply, BroadcastTo.apply
reduce_sum, mean, squared_norm = Sum.apply, Mean.apply, SquaredNorm.apply
