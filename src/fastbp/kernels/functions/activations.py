"""Activations, one record each. To add one, add its record to `_RECORDS`: all lists of names are derived from it.

A record holds the formulas that become vector code (see `vectors.formula`) and the
function's names in other libraries. The slope is the derivative with respect to z. If it
can be computed from the output h, the record has a formula for dz from dh and h. If not,
the record computes value and slope together, and training keeps the slopes in a buffer.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from fastbp.kernels.vectors.elementary import exp, expm1, gauss_tail, log1p, logistic, tanh
from fastbp.kernels.vectors.formula import Lanes

__all__ = ["ACTIVATIONS", "CODES", "ELEMENTWISE", "HIDDEN", "Activation"]


@dataclass(frozen=True)
class Activation:
    """An activation function: h = act(z), element by element, with z = x @ w + b.

    Attributes
    ----------
    name : str
        Public name.
    value : callable
        ``h = value(z)``.
    backward : callable, optional
        ``dz = backward(dh, h)``, if the slope can be computed from h.
    value_and_slope : callable, optional
        ``h, slope = value_and_slope(z)``, if it cannot.
    hidden : bool
        Whether hidden layers may use it.
    glorot : float
        f in the bound ``sqrt(f / (n_in + n_out))`` of the initial weights.
    torch : str
        Name of its module in torch.nn.
    onnx : callable
        ``onnx(add, z)`` returns the name of h in an ONNX graph: ``add(operator, *inputs, **attributes)`` adds a node
        and returns the name of its output; inputs are names or numbers.
    """

    name: str
    value: Callable[[Lanes], Lanes]
    backward: Callable[[Lanes, Lanes], Lanes] | None = None
    value_and_slope: Callable[[Lanes], tuple[Lanes, Lanes]] | None = None
    hidden: bool = True
    glorot: float = 6.0
    torch: str = ""
    onnx: Callable[[Callable[..., str], str], str] = lambda add, z: z

    @property
    def needs_slopes(self) -> bool:
        """Whether training has to store the slopes because they cannot be computed from the output."""
        return self.value_and_slope is not None

    def both(self, z: Lanes) -> tuple[Lanes, Lanes]:
        """Emit the value and the slope."""
        if self.value_and_slope is not None:
            return self.value_and_slope(z)
        h = self.value(z)
        one = z.like(1.0)
        return h, one if self.backward is None else self.backward(one, h)


def _first(both: Callable[[Lanes], tuple[Lanes, Lanes]]) -> Callable[[Lanes], Lanes]:
    return lambda z: both(z)[0]


def _leaky(z: Lanes, scale: float, below: Callable[[Lanes], tuple[Lanes, Lanes]]) -> tuple[Lanes, Lanes]:
    """``scale * z`` where z > 0, `below` elsewhere; NaN goes through `below`."""
    above = z.compare(">", 0.0)
    h, slope = below(z)
    return above.select(z * scale, h, like=z), above.select(scale, slope, like=z)


def _leaky_relu(z: Lanes) -> tuple[Lanes, Lanes]:
    return _leaky(z, 1.0, lambda z: (z * 0.01, z.like(0.01)))


def _exponential_unit(scale: float, alpha: float) -> Callable[[Lanes], tuple[Lanes, Lanes]]:
    def below(z: Lanes) -> tuple[Lanes, Lanes]:
        z = z.at_most(0.0)
        return expm1(z) * (scale * alpha), exp(z) * (scale * alpha)

    return lambda z: _leaky(z, scale, below)


def _logistic_pair(z: Lanes) -> tuple[Lanes, Lanes]:
    """logistic(z) and logistic(-z), from one exponential and without a subtraction."""
    e = exp(-z.magnitude())
    low, high = e / (e + 1.0), 1.0 / (e + 1.0)
    above = z.compare(">", 0.0)
    return above.select(high, low, like=z), above.select(low, high, like=z)


def _silu(z: Lanes) -> tuple[Lanes, Lanes]:
    s, rest = _logistic_pair(z)
    z = z.at_least(-800.0)  # where s is 0 already; infinity times 0 would be NaN
    return z * s, (z.at_most(800.0) * rest).fma(s, s)


def _gelu(z: Lanes) -> tuple[Lanes, Lanes]:
    tail, bell = gauss_tail(z)
    phi = z.compare(">", 0.0).select(1.0 - tail, tail, like=z)
    z = z.at_least(-40.0)  # where the tail is 0 already
    return z * phi, (z.at_most(40.0) * (1.0 / math.sqrt(2.0 * math.pi))).fma(bell, phi)


def _mish(z: Lanes) -> tuple[Lanes, Lanes]:
    # With e = exp(-abs(z)), tanh(softplus(z)) is n / d, and (1 - tanh**2) logistic(z) is 4 e**j (1 + e) / d**2.
    e = exp(-z.magnitude())
    above = z.compare(">", 0.0)
    n = above.select(e * 2.0 + 1.0, (e + 2.0) * e, like=z)
    d = above.select(n + e * e * 2.0, n + 2.0, like=z)
    t = n / d
    rest = above.select(e * e, e, like=z) * (e + 1.0) * 4.0 / (d * d)
    z = z.at_least(-800.0)
    return z * t, z.at_most(800.0).fma(rest, t)


def _softplus(z: Lanes) -> tuple[Lanes, Lanes]:
    return z.at_least(0.0) + log1p(exp(-z.magnitude())), logistic(z)


# Klambauer et al., "Self-Normalizing Neural Networks", 2017.
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
_ELU, _SELU = _exponential_unit(1.0, 1.0), _exponential_unit(_SELU_SCALE, _SELU_ALPHA)

# ---- the same in ONNX operators, only those that ONNX Runtime supports in both precisions -----------------------

_Add = Callable[..., str]


def _onnx_exponential_unit(scale: float, alpha: float) -> Callable[[_Add, str], str]:
    def unit(add: _Add, z: str) -> str:
        below = add("Mul", add("Sub", add("Exp", add("Min", z, 0.0)), 1.0), scale * alpha)
        return add("Where", add("Greater", z, 0.0), add("Mul", z, scale), below)

    return unit


def _onnx_softplus(add: _Add, z: str) -> str:
    return add("Add", add("Max", z, 0.0), add("Log", add("Add", add("Exp", add("Neg", add("Abs", z))), 1.0)))


def _onnx_gelu(add: _Add, z: str) -> str:
    return add("Mul", add("Mul", z, 0.5), add("Add", add("Erf", add("Mul", z, math.sqrt(0.5))), 1.0))


_RECORDS = (
    Activation("identity", lambda z: z, lambda dh, h: dh, torch="Identity", onnx=lambda add, z: add("Identity", z)),
    Activation(
        "relu",
        lambda z: z.at_least(0.0),
        lambda dh, h: h.differs_from(0.0).select(dh, 0.0, like=h),
        torch="ReLU",
        onnx=lambda add, z: add("Relu", z),
    ),
    Activation("tanh", tanh, lambda dh, h: dh * (-h).fma(h, 1.0), torch="Tanh", onnx=lambda add, z: add("Tanh", z)),
    Activation(
        "logistic",
        logistic,
        lambda dh, h: dh * h * (1.0 - h),
        glorot=2.0,
        torch="Sigmoid",
        onnx=lambda add, z: add("Sigmoid", z),
    ),
    Activation("exp", exp, hidden=False, onnx=lambda add, z: add("Exp", z)),
    # Softmax needs whole rows and is applied later, in `passes.output`; here the layer's output is z.
    Activation("softmax", lambda z: z, hidden=False, onnx=lambda add, z: add("Softmax", z, axis=1)),
    # Hendrycks and Gimpel, "Gaussian Error Linear Units (GELUs)", 2016: z Phi(z).
    Activation("gelu", _first(_gelu), value_and_slope=_gelu, torch="GELU", onnx=_onnx_gelu),
    # Elfwing et al., "Sigmoid-Weighted Linear Units", 2017: z logistic(z).
    Activation(
        "silu",
        _first(_silu),
        value_and_slope=_silu,
        torch="SiLU",
        onnx=lambda add, z: add("Mul", z, add("Sigmoid", z)),
    ),
    # Misra, "Mish: A Self Regularized Non-Monotonic Activation Function", 2019: z tanh(log(1 + exp(z))).
    Activation(
        "mish",
        _first(_mish),
        value_and_slope=_mish,
        torch="Mish",
        onnx=lambda add, z: add("Mul", z, add("Tanh", _onnx_softplus(add, z))),
    ),
    Activation(
        "selu",
        _first(_SELU),
        value_and_slope=_SELU,
        torch="SELU",
        onnx=_onnx_exponential_unit(_SELU_SCALE, _SELU_ALPHA),
    ),
    # Clevert et al., "Exponential Linear Units (ELUs)", 2015.
    Activation("elu", _first(_ELU), value_and_slope=_ELU, torch="ELU", onnx=_onnx_exponential_unit(1.0, 1.0)),
    # Maas et al., "Rectifier Nonlinearities Improve Neural Network Acoustic Models", 2013.
    Activation(
        "leaky_relu",
        _first(_leaky_relu),
        value_and_slope=_leaky_relu,
        torch="LeakyReLU",
        onnx=lambda add, z: add("Max", z, add("Mul", z, 0.01)),
    ),
    # Dugas et al., "Incorporating Second-Order Functional Knowledge", 2000: log(1 + exp(z)).
    Activation("softplus", _first(_softplus), value_and_slope=_softplus, torch="Softplus", onnx=_onnx_softplus),
)

ACTIVATIONS = {record.name: record for record in _RECORDS}
CODES = {record.name: code for code, record in enumerate(_RECORDS)}
"""The code of each activation in compiled code."""

HIDDEN = tuple(record.name for record in _RECORDS if record.hidden)
ELEMENTWISE = tuple(record.name for record in _RECORDS if record.name != "softmax")
