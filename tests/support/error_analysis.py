"""Bounds of the rounding errors of one training step, carried through the network layer by layer.

Every quantity ``q`` has an error ``eq >= abs(computed q - q)``, element by element. A product of matrices passes errors
on by absolute values and adds K eps of its own (see `bounds`); a function passes them on by its slope. Nothing here
knows how the step is computed beyond that, so the bound holds for any order of summation.
"""

import copy
from typing import NamedTuple

import numpy as np

import refbp
from support.bounds import FUNCTION_ERROR, LIPSCHITZ, assert_within, function_error, wide
from support.networks import Problem, Result, reference_of, train, train_reference

CURVATURE = {"gelu": 0.798, "silu": 0.5, "mish": 0.645, "selu": 1.7581, "elu": 1.0, "leaky_relu": 0.0, "softplus": 0.25}
"""Largest second derivative, where there is one, of the activations whose slopes training keeps."""

JUMP = {"selu": 0.7075, "leaky_relu": 0.99}
"""By how much the slope jumps at 0."""

SLOPE_ERROR = 6.0
"""Error in eps that the computation of a slope may add: at most a sum of two products of rounded factors up to 1.8."""

OUTPUTS = {"squared_error": "identity", "poisson": "exp", "log_loss": "softmax", "binary_log_loss": "logistic"}


class _Layer(NamedTuple):
    h: np.ndarray  # input
    eh: np.ndarray
    slope: np.ndarray | None  # act' of the input, as the backward pass uses it; None for the first layer
    eslope: np.ndarray | None


def _product_error(a, ea, b, eps):
    """Error of a @ b, where b is exact."""
    return ea @ np.abs(b) + b.shape[0] * eps * ((np.abs(a) + ea) @ np.abs(b))


def _slope_error(activation, z, ez, eh, eps):
    if activation == "identity":
        return np.zeros_like(z)
    if activation == "relu":
        return (np.abs(z) <= ez).astype(z.dtype)  # on which side of the kink it fell is open
    if activation in CURVATURE:
        jump = JUMP.get(activation, 0.0) * (np.abs(z) <= ez).astype(z.dtype)
        return CURVATURE[activation] * ez + jump + SLOPE_ERROR * eps
    return 2 * eh + eh**2 + 2 * eps


def _output_error(output, z, ez, o, eps):
    if output == "softmax":
        spread = z.max(axis=1, keepdims=True) - z
        relative = 2 * ez.max(axis=1, keepdims=True) + eps * (2 * spread + z.shape[1] + 2 * FUNCTION_ERROR + 2)
        return o * np.expm1(relative)
    if output == "exp":
        return o * (np.expm1(ez) + FUNCTION_ERROR * eps)
    own = 0.0 if output == "identity" else FUNCTION_ERROR * eps
    return LIPSCHITZ[output] * ez + own * np.abs(o)


def _forward(problem: Problem, x: np.ndarray, eps: float) -> tuple[list[_Layer], np.ndarray, np.ndarray]:
    layers = [_Layer(x, np.zeros_like(x), None, None)]
    weights, biases = [wide(w) for w in problem.weights], [wide(b) for b in problem.biases]
    for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
        h, eh = layers[-1].h, layers[-1].eh
        z = h @ w + b
        ez = _product_error(h, eh, w, eps) + 2 * eps * (np.abs(h) @ np.abs(w) + np.abs(b))
        if i == len(weights) - 1:
            output = OUTPUTS[problem.loss]
            o = refbp.ACTIVATIONS[output].forward(z)
            return layers, o, _output_error(output, z, ez, o, eps)
        act = refbp.ACTIVATIONS[problem.activation]
        h = act.forward(z)
        eh = LIPSCHITZ[problem.activation] * ez + function_error(problem.activation) * eps * np.abs(h)
        slope = act.backward(np.ones_like(h), act.kept(z, h))
        layers.append(_Layer(h, eh, slope, _slope_error(problem.activation, z, ez, eh, eps)))
    raise AssertionError("a network has at least one layer")


def check_outputs(problem: Problem, comp: np.ndarray) -> None:
    """Check the outputs of the network on all of x."""
    exact = problem.as_type(wide(problem.x).dtype)
    output = OUTPUTS[problem.loss]
    ref = refbp.predict(exact.weights, exact.biases, exact.x, activation=problem.activation, output=output)
    _, _, error = _forward(problem, exact.x, np.finfo(problem.x.dtype).eps)
    assert comp.dtype == problem.x.dtype
    assert_within(comp, ref, error, f"outputs, {problem.activation}, {output}")


def gradient_errors(problem: Problem) -> list[np.ndarray]:
    """Bounds of the errors of the mean gradient of one minibatch, of all weights and then all biases."""
    eps = np.finfo(problem.x.dtype).eps
    x, y = wide(problem.x), wide(problem.y)
    layers, o, eo = _forward(problem, x, eps)
    sample_weight = np.ones(len(x)) if problem.sample_weight is None else problem.sample_weight
    total = sample_weight.sum()
    d = (o - y) * sample_weight[:, np.newaxis]
    ed = (eo + 3 * eps * (np.abs(o) + np.abs(y))) * sample_weight[:, np.newaxis]
    errors_w, errors_b = [], []
    for layer, w in zip(reversed(layers), [wide(w) for w in reversed(problem.weights)], strict=True):
        h, eh, slope, eslope = layer
        size = np.abs(h) + eh
        sums = size.T @ (np.abs(d) + ed)
        decay = problem.weight_decay * np.abs(w)
        ew = np.abs(h).T @ ed + eh.T @ (np.abs(d) + ed) + (len(x) + 3) * eps * (sums + decay)
        errors_w.append(ew / total)
        errors_b.append((ed.sum(axis=0) + (len(x) + 3) * eps * (np.abs(d) + ed).sum(axis=0)) / total)
        if slope is not None and eslope is not None:
            dh, edh = d @ w.T, _product_error(d, ed, w.T, eps)
            d, ed = dh * slope, edh * (np.abs(slope) + eslope) + np.abs(dh) * eslope
            ed += 2 * eps * (np.abs(d) + ed)
    return errors_w[::-1] + errors_b[::-1]


def _sgd_errors(optimizer, params, gradients, errors, eps):
    """Errors of velocities and parameters after v := mu v - lr g, p := p + v (or + mu v - lr g)."""
    rate, momentum = optimizer.learning_rate, optimizer.momentum
    olds = optimizer.velocities or [np.zeros_like(p) for p in params]
    ev = [
        rate * e + 4 * eps * (momentum * np.abs(v) + rate * (np.abs(g) + e))
        for v, g, e in zip(olds, gradients, errors, strict=True)
    ]
    sizes = [momentum * np.abs(v) + rate * (np.abs(g) + e) for v, g, e in zip(olds, gradients, errors, strict=True)]
    extra = [momentum * v + rate * e if optimizer.nesterov else v for v, e in zip(ev, errors, strict=True)]
    ep = [e + 4 * eps * (np.abs(p) + 2 * s) for p, e, s in zip(params, extra, sizes, strict=True)]
    return ep, [ev]


def _adam_errors(optimizer, params, gradients, errors, eps):
    """Errors of both moments and of the parameters; the step is a quotient, bounded by its interval.

    The decay of AdamW, a product with an exact share that is at most 1, rounds once.
    """
    beta_1, beta_2, t = optimizer.beta_1, optimizer.beta_2, optimizer.t + 1
    after = copy.deepcopy(optimizer)
    after.t = t
    epsilon = after.step_epsilon()
    rate = optimizer.learning_rate_init * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    ems, evs, eps_params = [], [], []
    for p, g, e, m, v in zip(params, gradients, errors, optimizer.ms, optimizer.vs, strict=True):
        # 1 - beta in the type of the weights is off by an eps of 1, which is eps / (1 - beta) of itself.
        em = (1 - beta_1) * e + 6 * eps * (np.abs(m) + np.abs(g) + e)
        ev = (1 - beta_2) * (2 * np.abs(g) * e + e**2) + 6 * eps * (v + (np.abs(g) + e) ** 2)
        m, v = beta_1 * m + (1 - beta_1) * g, beta_2 * v + (1 - beta_2) * g**2
        root, low = np.sqrt(v) + epsilon, np.sqrt(np.maximum(v - ev, 0)) + epsilon
        quotient_error = em / low + np.abs(m) * (root - low) / (root * low)
        size = (np.abs(m) + em) / low
        ems.append(em)
        evs.append(ev)
        eps_params.append(rate * (quotient_error + 6 * eps * size) + 2 * eps * np.abs(p))
    return eps_params, [ems, evs]


def check_one_step(problem: Problem, optimizer) -> Result:
    """Check parameters and moments after one step (one minibatch) against refbp in wider arithmetic.

    Adam must have moments: from zero the first step is the sign of the gradient, which no bound can hold.
    """
    assert problem.batch_size >= len(problem.x)
    assert len(problem.orders) == 1
    eps = np.finfo(problem.x.dtype).eps
    exact = problem.as_type(wide(problem.x).dtype)
    start = copy.deepcopy(optimizer)
    start.moments = {name: [wide(a) for a in arrays] for name, arrays in optimizer.moments.items()}
    ref = train_reference(exact, start)
    _, gradients = refbp.loss_and_gradient(
        exact.weights,
        exact.biases,
        exact.x,
        exact.y,
        activation=problem.activation,
        loss=problem.loss,
        weight_decay=problem.weight_decay,
        sample_weight=problem.sample_weight,
    )
    ref_start = reference_of(start)
    analyse = _adam_errors if isinstance(ref_start, refbp.Adam) else _sgd_errors
    mean_gradients = gradients.dweights + gradients.dbiases
    ep, emoments = analyse(ref_start, exact.params, mean_gradients, gradient_errors(problem), eps)
    comp = train(problem, optimizer)
    for i, (c, r, bound) in enumerate(zip(comp.params, ref.params, ep, strict=True)):
        assert c.dtype == problem.x.dtype
        assert_within(c, r, bound, f"parameter {i}")
    for (name, ref_moments), bounds in zip(ref.moments().items(), emoments, strict=True):
        arrays = zip(comp.moments()[name], ref_moments, bounds, strict=True)
        for i, (c, r, bound) in enumerate(arrays):
            assert_within(c, r, bound, f"{name} of parameter {i}")
    return comp
