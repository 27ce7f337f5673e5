r"""Computational graphs and general back-propagation (Deep Learning, section 6.5).

Reading order: `variables` (the language), `arithmetic` and `functions` (the operations and their rules),
`scalar` (algorithms 6.1 and 6.2), `backpropagation` (algorithms 6.5 and 6.6), `evaluation` (numbers, and what
they cost), `second_derivatives`, `networks` (section 6.5.7).

Examples
--------
The gradient of a network is a graph, which is evaluated like any other:

>>> import numpy as np
>>> from refbp import graph
>>> net = graph.section_6_5_7(n=1, n_in=2, n_h=2, n_out=2, lam=0.25)
>>> gradients = graph.backprop(net.weights, net.graph, net.J)
>>> values = net.given(X=[[1.0, 2.0]], y=[[0.0, 1.0]], W1=[[1.0, 1.0], [1.0, -1.0]], W2=np.ones((2, 2)))
>>> result = graph.evaluate([net.J, *gradients.values()], values)
>>> [float(result.values[0].round(9)), result.values[1], result.values[2]]
[2.693147181, array([[ 0.5,  0.5],
       [ 0.5, -0.5]]), array([[ 2. , -1. ],
       [ 0.5,  0.5]])]
>>> net.graph.names[gradients[net.v["W1"]]], result.trace.multiply_adds
('dJ/dW1', 20)
"""

from refbp.graph.arithmetic import (
    broadcast_to,
    mean,
    reduce_sum,
    reshape,
    squared_norm,
)
from refbp.graph.backpropagation import GradTable, backprop, build_grad
from refbp.graph.evaluation import Evaluation, Step, Trace, evaluate, fit_to_memory, schedule, trace
from refbp.graph.functions import (
    argmax,
    binary_cross_entropy,
    cross_entropy,
    exp,
    log,
    log_softmax,
    logistic,
    normal_cdf,
    poisson,
    reduce_max,
    relu,
    softmax,
    softplus,
    squared_error,
    step,
    tanh,
)
from refbp.graph.networks import Network, mlp, one_hidden_layer, section_6_5_7
from refbp.graph.scalar import Node, forward, simplified_backprop
from refbp.graph.second_derivatives import hessian, hessian_vector_product
from refbp.graph.variables import (
    OPERATIONS,
    Graph,
    Operation,
    Variable,
    constant,
    get_consumers,
    get_inputs,
    get_operation,
    variable,
)

__all__ = [
    "OPERATIONS",
    "Evaluation",
    "GradTable",
    "Graph",
    "Network",
    "Node",
    "Operation",
    "Step",
    "Trace",
    "Variable",
    "argmax",
    "backprop",
    "binary_cross_entropy",
    "broadcast_to",
    "build_grad",
    "constant",
    "cross_entropy",
    "evaluate",
    "exp",
    "fit_to_memory",
    "forward",
    "get_consumers",
    "get_inputs",
    "get_operation",
    "hessian",
    "hessian_vector_product",
    "log",
    "log_softmax",
    "logistic",
    "mean",
    "mlp",
    "normal_cdf",
    "one_hidden_layer",
    "poisson",
    "reduce_max",
    "reduce_sum",
    "relu",
    "reshape",
    "schedule",
    "section_6_5_7",
    "simplified_backprop",
    "softmax",
    "softplus",
    "squared_error",
    "squared_norm",
    "step",
    "tanh",
    "trace",
    "variable",
]
