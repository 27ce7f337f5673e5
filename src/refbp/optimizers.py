r"""Optimizers, which use the gradient: SGD with momentum, Adam and AdamW.

"Back-propagation refers only to the method for computing the gradient, while another algorithm, such as SGD,
is used to perform learning using this gradient" (Deep Learning, section 6.5, introduction). The optimizers
know nothing of networks: they see a list of parameter arrays and a list of gradients in the same order.

The order of every product and sum in SGD and Adam is scikit-learn's, so that the parameters agree to the last
bit. AdamW agrees with PyTorch's, to rounding.
"""

import math
from collections.abc import Sequence

import numpy as np

SMALLEST_ADAPTIVE_LEARNING_RATE = 1e-6
"""The adaptive schedule stops when its learning rate is no larger than this."""


class SGD:
    r"""Stochastic gradient descent with momentum.

    With the gradient :math:`g`, the velocity :math:`v` (zero at first), momentum :math:`\mu` and learning
    rate :math:`\eta`:

    .. math::
        v \leftarrow \mu v - \eta g, \qquad
        \theta \leftarrow \theta + v \;\text{ (classical)} \quad\text{or}\quad
        \theta \leftarrow \theta + \mu v - \eta g \;\text{ (Nesterov, with the new } v)

    Parameters
    ----------
    learning_rate : float
    momentum : float in [0, 1]
    nesterov : bool
    schedule : {"constant", "invscaling", "adaptive"}
        *invscaling*: after each epoch :math:`\eta = \eta_0 / (t + 1)^p`, t = examples seen so far.
        *adaptive*: divided by 5 whenever training would otherwise stop, until it is no larger than 1e-6.
    power_t : float
        The exponent p of invscaling.

    Attributes
    ----------
    learning_rate, learning_rate_init : float
        Now, and at the start.
    velocities : list of arrays like the parameters, or None before the first step

    Examples
    --------
    >>> theta = np.array([1.0])
    >>> sgd = SGD(0.5, momentum=0.5, nesterov=False)
    >>> sgd.step([theta], [np.array([1.0])])  # v = -0.5
    >>> sgd.step([theta], [np.array([1.0])])  # v = 0.5 * -0.5 - 0.5 = -0.75
    >>> theta
    array([-0.25])
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        *,
        momentum: float = 0.9,
        nesterov: bool = True,
        schedule: str = "constant",
        power_t: float = 0.5,
    ) -> None:
        self.learning_rate_init = learning_rate
        self.learning_rate = float(learning_rate)
        self.momentum = momentum
        self.nesterov = nesterov
        self.schedule = schedule
        self.power_t = power_t
        self.velocities: list[np.ndarray] | None = None

    def step(self, params: Sequence[np.ndarray], grads: Sequence[np.ndarray]) -> None:
        """Move the parameters, in place, by one update.

        Parameters
        ----------
        params : list of arrays [read+write]
        grads : list of arrays of the same shapes [read]
        """
        velocities = self.velocities or [np.zeros_like(p) for p in params]
        self.velocities = [self.momentum * v - self.learning_rate * g for v, g in zip(velocities, grads, strict=True)]
        updates = self.velocities
        if self.nesterov:
            updates = [self.momentum * v - self.learning_rate * g for v, g in zip(self.velocities, grads, strict=True)]
        for p, update in zip(params, updates, strict=True):
            p += update

    def iteration_ends(self, time_step: int) -> None:
        """Follow the invscaling schedule after an epoch; ``time_step`` counts the examples seen so far."""
        if self.schedule == "invscaling":
            self.learning_rate = float(self.learning_rate_init) / (time_step + 1) ** self.power_t

    def trigger_stopping(self) -> bool:
        """Return whether to stop when the loss no longer improves; first reduce an adaptive learning rate."""
        if self.schedule != "adaptive" or self.learning_rate <= SMALLEST_ADAPTIVE_LEARNING_RATE:
            return True
        self.learning_rate /= 5.0
        return False


class Adam:
    r"""Adam in its efficient form (Adam, the end of section 2).

    With :math:`m, v` zero at first and :math:`t` counting steps from one:

    .. math::
        m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad
        v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad
        \eta_t = \eta \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}, \quad
        \theta \leftarrow \theta - \eta_t \frac{m}{\sqrt{v} + \epsilon}

    :math:`\epsilon` is added to the uncorrected :math:`\sqrt v`, unlike the paper's algorithm 1. The penalty
    has come in with the gradient; `AdamW` decays the weights apart from it.

    Parameters
    ----------
    learning_rate : float
        :math:`\eta`.
    beta_1, beta_2 : float in [0, 1)
    epsilon : float

    Attributes
    ----------
    learning_rate, learning_rate_init : float
        :math:`\eta_t` of the last step, and :math:`\eta`.
    t : int
        Steps made.
    ms, vs : lists of arrays like the parameters, or None before the first step

    Examples
    --------
    The first step is the learning rate times the sign of the gradient, whatever the gradient's size:

    >>> theta = np.array([1.0, 1.0])
    >>> Adam(0.25).step([theta], [np.array([1e3, -1e-3])])
    >>> theta.round(3)
    array([0.75, 1.25])
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        *,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        self.learning_rate_init = learning_rate
        self.learning_rate = float(learning_rate)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.t = 0
        self.ms: list[np.ndarray] | None = None
        self.vs: list[np.ndarray] | None = None

    def step(self, params: Sequence[np.ndarray], grads: Sequence[np.ndarray]) -> None:
        """Move the parameters, in place, by one update.

        Parameters
        ----------
        params : list of arrays [read+write]
        grads : list of arrays of the same shapes [read]
        """
        ms = self.ms or [np.zeros_like(p) for p in params]
        vs = self.vs or [np.zeros_like(p) for p in params]
        self.t += 1
        self.ms = [self.beta_1 * m + (1 - self.beta_1) * g for m, g in zip(ms, grads, strict=True)]
        self.vs = [self.beta_2 * v + (1 - self.beta_2) * (g**2) for v, g in zip(vs, grads, strict=True)]
        # A NumPy float64 and not a Python float, so that the last products of a float32 step are in float64, as
        # in scikit-learn.
        self.learning_rate = self.learning_rate_init * np.sqrt(1 - self.beta_2**self.t) / (1 - self.beta_1**self.t)
        for p, m, v in zip(params, self.ms, self.vs, strict=True):
            p += -self.learning_rate * m / (np.sqrt(v) + self.step_epsilon())

    def step_epsilon(self) -> float:
        """Return what step t adds to the root."""
        return self.epsilon

    def iteration_ends(self, time_step: int) -> None:
        """Do nothing, whatever ``time_step`` is: Adam has no schedule over epochs."""

    def trigger_stopping(self) -> bool:
        """Return True: stop when the loss no longer improves."""
        return True


class AdamW(Adam):
    r"""Adam with decoupled weight decay (I. Loshchilov, F. Hutter, arXiv:1711.05101, algorithm 2), as in PyTorch.

    With :math:`m, v` as in `Adam` and the decay :math:`\lambda`:

    .. math::
        \theta \leftarrow (1 - \eta \lambda) \, \theta, \qquad
        \theta \leftarrow \theta
        - \frac{\eta}{1 - \beta_1^t} \, \frac{m}{\sqrt{v} / \sqrt{1 - \beta_2^t} + \epsilon}

    Here :math:`\epsilon` is added to the corrected root. Multiplying numerator and denominator by
    :math:`\sqrt{1 - \beta_2^t}` gives the step of `Adam` with :math:`\epsilon_t = \epsilon \sqrt{1 - \beta_2^t}`
    in the place of :math:`\epsilon`, and so it is computed.

    The decay does not pass through the moments. So it differs from the L2 penalty of `refbp.penalties`, which
    comes with the gradient and may be used beside it. Like the penalty, it acts on the weight matrices and not
    on the biases. ``torch.optim.AdamW`` decays every parameter it is given; for the same result its biases belong
    in a parameter group with ``weight_decay=0``.

    Parameters
    ----------
    learning_rate : float
        :math:`\eta`.
    beta_1, beta_2 : float in [0, 1)
    epsilon : float
    weight_decay : float
        :math:`\lambda`.

    Attributes
    ----------
    learning_rate, learning_rate_init, t, ms, vs
        As in `Adam`.

    Examples
    --------
    Without a gradient, only the matrix shrinks:

    >>> w, b = np.array([[1.0]]), np.array([1.0])
    >>> AdamW(0.5, weight_decay=0.25).step([w, b], [np.zeros((1, 1)), np.zeros(1)])
    >>> w, b
    (array([[0.875]]), array([1.]))
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        *,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)
        self.weight_decay = weight_decay

    def step(self, params: Sequence[np.ndarray], grads: Sequence[np.ndarray]) -> None:
        """Decay the matrices among the parameters, then make Adam's step; in place.

        Parameters
        ----------
        params : list of arrays [read+write]
        grads : list of arrays of the same shapes [read]
        """
        for p in params:
            if p.ndim == 2:
                p *= 1 - self.learning_rate_init * self.weight_decay
        super().step(params, grads)

    def step_epsilon(self) -> float:
        r"""Return :math:`\epsilon_t = \epsilon \sqrt{1 - \beta_2^t}`."""
        return self.epsilon * math.sqrt(1 - self.beta_2**self.t)
