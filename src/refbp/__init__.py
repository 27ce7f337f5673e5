r"""The multi-layer perceptron, written to be read beside the textbook.

This is the clean, minimal reference. As such:

- it needs NumPy and the standard library, nothing else;
- it says each thing once, in the words and symbols of the texts it cites, with each equation beside the line
  that computes it;
- it *defines* what a correct answer is: the equations, and the order in which scikit-learn 1.9 carries them
  out, so that a run from the same seed ends at the same numbers;
- it can check itself: `refbp.numdiff` differentiates every formula a second way.

It is not fast and does not check its arguments. To train a network, use fastbp.

Texts cited
-----------
D2L
    Dive into Deep Learning, "Forward Propagation, Back Propagation, and Computational Graphs".
Slides
    CS 316, Introduction to Deep Learning, week 6 (the same example as D2L).
Deep Learning
    I. Goodfellow, Y. Bengio, A. Courville, *Deep Learning*, section 6.5.
Adam
    D. Kingma, J. Ba, "Adam: a method for stochastic optimization", arXiv:1412.6980. AdamW is from I. Loshchilov,
    F. Hutter, "Decoupled weight decay regularization", arXiv:1711.05101.

Reading order
-------------
1. `one_hidden_layer`: D2L's example. One column vector, every intermediate and every derivative by name;
   `chain_rule` has its ``prod``, and `walk_text` writes it down.
2. `activations`, `losses`, `penalties`: the three ingredients, each function with its derivative beside it.
3. `mlp`: any depth, a minibatch of rows; forward, backward, and the objective they belong to.
4. `optimizers`: how the gradient is used ("another algorithm", as Deep Learning 6.5 insists).
5. `training`, `scoring`: epochs, minibatches, stopping.
6. `numdiff`, `jacobians`: derivatives from function values, and an error where there are none.
7. `gradient_checks`: compare a formula with them, and report the element with the largest error.
8. `graph`: computational graphs and general back-propagation; import it with ``from refbp import graph``.
9. `draw`: pictures of these graphs; import it with ``from refbp import draw``.
10. `accounting`: `cost` and `memory`, multiply-adds and bytes as numbers; `partition`, a graph on several devices,
    which `placement` cuts and runs.

Conventions
-----------
=========  =================================================  =====================================
symbol     one example (D2L, slides)                          rows (Deep Learning, scikit-learn)
=========  =================================================  =====================================
input      ``x`` (d,)                                         ``x`` (n, n_in)
weights    ``w1`` (h, d)                                      ``w`` (n_in, n_out), ``b`` (n_out,)
layer      ``z = w1 @ x``, ``h = phi(z)``                     ``z = x @ w + b``, ``h = act(z)``
=========  =================================================  =====================================

A ``d`` in front of a name is the gradient with respect to it: ``dw`` is the derivative of the objective by
``w`` and has its shape. Arithmetic follows the dtype of the arrays given: float32 in, float32 through;
float64 in, float64 through.
"""

from refbp.activations import ACTIVATIONS, Activation
from refbp.chain_rule import Factored, prod
from refbp.gradcheck_report import GradcheckError, GradcheckReport, relative_error
from refbp.gradient_checks import gradcheck, gradcheck_directional, gradgradcheck
from refbp.jacobians import gradient, jacobian, partial_derivative
from refbp.losses import LOSSES, Loss
from refbp.mlp import (
    ForwardPass,
    Gradients,
    active_units,
    backward,
    forward,
    loss_and_gradient,
    objective,
    predict,
)
from refbp.numdiff import (
    NotAnalyticError,
    UndefinedDerivativeError,
    complex_step,
    derivative,
    directional,
    numerical_gradient,
)
from refbp.optimizers import SGD, Adam, AdamW
from refbp.penalties import PENALTIES, Penalty
from refbp.scoring import accuracy, r2, scorer
from refbp.training import History, Stopping, initialize, train

__all__ = [
    "ACTIVATIONS",
    "LOSSES",
    "PENALTIES",
    "SGD",
    "Activation",
    "Adam",
    "AdamW",
    "Factored",
    "ForwardPass",
    "GradcheckError",
    "GradcheckReport",
    "Gradients",
    "History",
    "Loss",
    "NotAnalyticError",
    "Penalty",
    "Stopping",
    "UndefinedDerivativeError",
    "accuracy",
    "active_units",
    "backward",
    "complex_step",
    "derivative",
    "directional",
    "forward",
    "gradcheck",
    "gradcheck_directional",
    "gradgradcheck",
    "gradient",
    "initialize",
    "jacobian",
    "loss_and_gradient",
    "numerical_gradient",
    "objective",
    "partial_derivative",
    "predict",
    "prod",
    "r2",
    "relative_error",
    "scorer",
    "train",
]
