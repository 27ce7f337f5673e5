r"""What a multi-layer perceptron costs: multiply-adds and memory, layer by layer, as numbers.

"During the forward propagation stage, we multiply by each weight matrix, resulting in :math:`O(w)`
multiply-adds, where :math:`w` is the number of weights. During the backward propagation stage, we multiply by
the transpose of each weight matrix, which has the same computational cost. The main memory cost of the
algorithm is that we need to store the input to the nonlinearity of the hidden layer ... The memory cost is thus
:math:`O(m n_h)`" (Deep Learning, section 6.5.7). And D2L's exercise: "Compute the memory footprint for training
and inference".

For :math:`m` rows, layer :math:`l` with a weight matrix of :math:`n_{l-1} \times n_l` takes

.. math::
    \underbrace{m \, n_{l-1} n_l}_{Z_l = H_{l-1} W_l}
    + \underbrace{m \, n_{l-1} n_l}_{\nabla_{W_l} = H_{l-1}^{\mathsf T} \Delta_l}
    + \underbrace{m \, n_{l-1} n_l}_{\Delta_l W_l^{\mathsf T}, \; l > 1}
    \;\text{ multiply-adds, and keeps }\;
    \underbrace{m \, n_l}_{H_l} + \underbrace{m \, n_l}_{\Delta_l} \;\text{ numbers.}

An activation whose rule reads its input, such as gelu, keeps :math:`Z_l` as well, another :math:`m \, n_l`
numbers for each hidden layer, which are not counted here.

The first layer needs no gradient by its input. Sums of biases and elementwise operations are of a lower order and
not counted. What programs hold in addition is in `refbp.accounting.memory`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

MOMENTS = {"sgd": 1, "nesterov": 1, "adam": 2}
"""Arrays that each optimizer keeps per parameter array: the velocity, or two moments."""


class Memory(NamedTuple):
    """Bytes, by what they are for.

    Attributes
    ----------
    parameters : int
        Weights and biases.
    transposed : int
        Copies of weights, transposed.
    gradients : int
        By parameters.
    moments : int
        What the optimizer keeps.
    minibatch : int
        Copies of the minibatch's rows of x and y.
    activations : int
        Outputs of the layers.
    deltas : int
        Gradients by the layers' pre-activations.
    scratch : int
        Temporary arrays.
    """

    parameters: int = 0
    transposed: int = 0
    gradients: int = 0
    moments: int = 0
    minibatch: int = 0
    activations: int = 0
    deltas: int = 0
    scratch: int = 0

    @property
    def total(self) -> int:
        """The sum of all."""
        return sum(self)


class LayerCost(NamedTuple):
    """What one layer costs in training: multiply-adds of a minibatch, and bytes.

    Attributes
    ----------
    n_in, n_out : int
    parameters : int
        Number of weights and biases.
    forward : int
        Multiply-adds of :math:`H_{l-1} W_l`.
    backward_dw, backward_dx : int
        Multiply-adds of the two rules of the product, :math:`A^{\\mathsf T} G` and :math:`G B^{\\mathsf T}`
        (section 6.5.6); the second is 0 for the first layer.
    activations, deltas, gradients, moments : int
        Bytes, see `Memory`.
    """

    n_in: int
    n_out: int
    parameters: int
    forward: int
    backward_dw: int
    backward_dx: int
    activations: int
    deltas: int
    gradients: int
    moments: int


@dataclass(frozen=True)
class Cost:
    """Cost of a network, its minibatch and its optimizer.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, hidden units of each layer, outputs.
    batch : int
        Rows of a minibatch.
    dtype : str
        Of all numbers.
    optimizer : {"sgd", "nesterov", "adam"}
    biases : bool

    Attributes
    ----------
    layers : list of LayerCost
    weights, parameters : int
        How many, without and with biases.
    forward, backward : int
        Multiply-adds of a minibatch.
    training : Memory
        What a step has to keep, taken by the end of the backward pass.
    inference : Memory
        The same for the output alone, where a value is dropped as soon as the next is known.

    Examples
    --------
    >>> cost = Cost((3, 4, 2), batch=5)
    >>> cost.weights, cost.forward, cost.backward
    (20, 100, 140)
    >>> print(cost)
    network 3-4-2, minibatch of 5 rows, float64, sgd
    <BLANKLINE>
    layer  parameters  forward  backward dW  backward dX  activations  deltas  gradients  moments
    3-4            16       60           60            0          160     160        128      128
    4-2            10       40           40           40           80      80         80       80
    total          26      100          100           40          240     240        208      208
    <BLANKLINE>
    multiply-adds by weight and row: forward 1.00, backward 1.40
    <BLANKLINE>
    bytes      parameters  gradients  moments  minibatch  activations  deltas  total
    inference         208          0        0        120          320       0    648
    training          208        208      208        200          240     240  1,304
    """

    sizes: Sequence[int]
    batch: int
    dtype: str = "float64"
    optimizer: str = "sgd"
    biases: bool = True

    @property
    def itemsize(self) -> int:
        """Bytes of a number."""
        return np.dtype(self.dtype).itemsize

    @property
    def layers(self) -> list[LayerCost]:
        """The layers, first to last."""
        layers: list[LayerCost] = []
        for n_in, n_out in pairwise(self.sizes):
            parameters = (n_in + self.biases) * n_out
            product = self.batch * n_in * n_out
            rows = self.batch * n_out * self.itemsize
            layers.append(
                LayerCost(
                    n_in,
                    n_out,
                    parameters,
                    forward=product,
                    backward_dw=product,
                    backward_dx=product if layers else 0,
                    activations=rows,
                    deltas=rows,
                    gradients=parameters * self.itemsize,
                    moments=MOMENTS[self.optimizer] * parameters * self.itemsize,
                )
            )
        return layers

    @property
    def weights(self) -> int:
        """The w of O(w): elements of the weight matrices."""
        return sum(layer.n_in * layer.n_out for layer in self.layers)

    @property
    def parameters(self) -> int:
        """Elements of weight matrices and biases."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def forward(self) -> int:
        """Multiply-adds of the forward pass."""
        return sum(layer.forward for layer in self.layers)

    @property
    def backward(self) -> int:
        """Multiply-adds of the backward pass."""
        return sum(layer.backward_dw + layer.backward_dx for layer in self.layers)

    @property
    def training(self) -> Memory:
        """Memory of a training step: everything that the two passes and the optimizer have to keep."""
        layers = self.layers
        return Memory(
            parameters=self.parameters * self.itemsize,
            gradients=sum(layer.gradients for layer in layers),
            moments=sum(layer.moments for layer in layers),
            minibatch=self.batch * (self.sizes[0] + self.sizes[-1]) * self.itemsize,
            activations=sum(layer.activations for layer in layers),
            deltas=sum(layer.deltas for layer in layers),
        )

    @property
    def inference(self) -> Memory:
        """Memory of inference: at any time an operation's argument and its result, of the widest layer.

        The argument is the layer before for the product, the product for the bias and the activation. Rows of x
        are of the minibatch.
        """
        arguments = [0, *self.sizes[1:-1]]  # x is given
        widest = max(n_out + max(n_out, n_in) for n_in, n_out in zip(arguments, self.sizes[1:], strict=True))
        return Memory(
            parameters=self.parameters * self.itemsize,
            minibatch=self.batch * self.sizes[0] * self.itemsize,
            activations=self.batch * widest * self.itemsize,
        )

    def __str__(self) -> str:
        """Write the table: a line for each layer, then inference and training."""
        columns = (
            "parameters",
            "forward",
            "backward_dw",
            "backward_dx",
            "activations",
            "deltas",
            "gradients",
            "moments",
        )
        heads = [name.replace("_dw", " dW").replace("_dx", " dX") for name in columns]
        counts = [[getattr(layer, name) for name in columns] for layer in self.layers]
        rows = [[f"{layer.n_in}-{layer.n_out}", *row] for layer, row in zip(self.layers, counts, strict=True)]
        rows.append(["total", *(sum(column) for column in zip(*counts, strict=True))])
        products = self.batch * self.weights
        name = "-".join(map(str, self.sizes))
        by_weight = f"forward {self.forward / products:.2f}, backward {self.backward / products:.2f}"
        return "\n".join(
            [
                f"network {name}, minibatch of {self.batch} rows, {self.dtype}, {self.optimizer}",
                "",
                *table(["layer", *heads], rows),
                "",
                f"multiply-adds by weight and row: {by_weight}",
                "",
                *memory_table({"inference": self.inference, "training": self.training}),
            ]
        )


def table(heads: Sequence[str], rows: Sequence[Sequence[str | int]]) -> list[str]:
    """Align columns, the first to the left; whole numbers get commas.

    Examples
    --------
    >>> table(["net", "bytes"], [["a", 1000], ["long", 2]])
    ['net   bytes', 'a     1,000', 'long      2']
    """
    cells = [list(heads), *([f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in cells
    ]


def memory_table(memories: dict[str, Memory]) -> list[str]:
    """Make a table with a row for each memory, and a column for every part that any of them has."""
    names = [name for name in Memory._fields if any(getattr(memory, name) for memory in memories.values())]
    rows = [[head, *(getattr(memory, name) for name in names), memory.total] for head, memory in memories.items()]
    return table(["bytes", *names, "total"], rows)
