r"""The memory of two training programs: `refbp.training`, and one with a fused optimizer.

`Cost.training` is what the two passes and the optimizer have to keep. A program written for readability holds
some of it twice. A program written for speed never stores the gradient. Both are predicted here, and
`traced_peak` measures.
"""

import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from refbp.accounting.cost import MOMENTS, Cost, Memory


def reference_memory(cost: Cost) -> Memory:
    r"""Predict the peak of `refbp.training.run_epoch` over two or more shuffled minibatches.

    It is reached in one of two places. With P for the bytes of the parameters, k moments, and A for the bytes of
    all activations,

    .. math::
        \underbrace{P + kP + 2P + 3A}_{\text{end of a backward pass}} \quad\text{or}\quad
        \underbrace{P + 2kP + P + A \; (+ P \text{ for Nesterov's updates})}_{\text{end of the optimizer's step}}

    since the gradients and deltas of one minibatch are there until those of the next have replaced them, and so
    are the old moments until all the new ones are known. In both there are rows of x, in the first also of y.

    Parameters
    ----------
    cost : Cost

    Returns
    -------
    Memory
        Temporary arrays of single expressions are not included: at most four arrays of eight-byte numbers as
        large as the largest matrix of the step.
    """
    step = cost.training
    backward = step._replace(gradients=2 * step.gradients, deltas=2 * step.deltas)
    update = step._replace(
        moments=2 * step.moments,
        minibatch=cost.batch * cost.sizes[0] * cost.itemsize,
        activations=0,
        scratch=step.gradients if cost.optimizer == "nesterov" else 0,
    )
    return max(backward, update, key=lambda memory: memory.total)


class Tile(NamedTuple):
    """How a fused program cuts its matrices.

    Attributes
    ----------
    rows, columns : int
        Of the tile of a product that is held in registers.
    lanes : int
        Numbers in a vector register.
    block : int or None
        Most rows of a minibatch that are in memory at one time; None for all.
    """

    rows: int = 1
    columns: int = 1
    lanes: int = 1
    block: int | None = None


def fused_memory(cost: Cost, tile: Tile | None = None, threads: int = 1) -> Memory:
    r"""Predict the memory of a step whose optimizer is fused into the products that make the gradient.

    Rows are carried forward and backward with the old weights, a share of them by each thread. When all are done,
    every weight matrix is walked in tiles: a tile of :math:`H^{\mathsf T} \Delta` is summed over the whole
    minibatch and at once applied to the weights and their moments. So no gradients are stored; instead there are
    transposed weights for the next backward pass. With k moments,

    .. math::
        \underbrace{(1 + k) \sum_{l} (n_{l-1} + 1) \, n_l}_{\text{parameters, moments}}
        + \underbrace{\sum_{l > 1} n_l \, n_{l-1}}_{\text{transposed}}
        + \underbrace{m \sum_{l < M} n_l}_{\text{rows of x, activations}}
        + \underbrace{m \sum_{l \ge 1} n_l}_{\text{deltas}}
        \;\text{ numbers.}

    The output layer's activations become its deltas in place. This is the prediction without a tile. With a tile of
    r rows and c columns, it includes what a program for vector registers adds:

    - matrices lie in *panels*: columns are rounded up to c;
    - rows are rounded up to r, those of transposed weights to a vector;
    - panels of a minibatch have one more row, so that their lines spread over the cache (those of weights have one
      for the biases);
    - each thread has a scratch of :math:`\lceil n_M / c \rceil + 2` squares of c by c and two rows of c, for the
      output layer with rows as lanes;
    - the loss of each row, the penalty of each tile and their total are kept in float64;
    - a minibatch of more rows than a block is carried through block by block. Then the sum of the blocks' gradients
      is in memory after all, in panels like the parameters, and m is the size of a block.

    Parameters
    ----------
    cost : Cost
        Always with biases.
    tile : Tile or None
        None for the design alone.
    threads : int
        How many have a scratch.

    Returns
    -------
    Memory
        The caller's own arrays (data, parameters) come on top.

    Examples
    --------
    >>> cost = Cost((784, 256, 10), batch=128, dtype="float32", optimizer="adam")
    >>> design, padded = fused_memory(cost), fused_memory(cost, Tile(8, 48, 16), threads=2)
    >>> design.total, padded.total, reference_memory(cost).total
    (3121272, 3684576, 5422320)
    """
    rows, columns, lanes, block = tile or Tile()

    def numbers(height: int, width: int) -> int:
        """Bytes of a matrix in panels."""
        return height * up(width, columns) * cost.itemsize

    shapes = list(pairwise(cost.sizes))
    parameters = sum(numbers(up(n_in, rows) + 1, n_out) for n_in, n_out in shapes)
    held = min(cost.batch, block or cost.batch)
    capacity = held if tile is None else up(held, rows) + 1
    design = Memory(
        parameters=parameters,
        gradients=parameters if held < cost.batch else 0,
        transposed=sum(numbers(up(n_out, lanes), n_in) for n_in, n_out in shapes[1:]),
        moments=MOMENTS[cost.optimizer] * parameters,
        minibatch=numbers(capacity, cost.sizes[0]),
        activations=sum(numbers(capacity, n) for n in cost.sizes[1:-1]),
        deltas=sum(numbers(capacity, n) for n in cost.sizes[1:]),
    )
    if tile is None:
        return design
    squares = up(cost.sizes[-1], columns) // columns + 2
    scratch = threads * (squares * columns**2 + 2 * columns) * cost.itemsize
    tiles = sum((up(n_in, rows) // rows + 1) * (up(n_out, columns) // columns) for n_in, n_out in shapes)
    return design._replace(scratch=scratch + 8 * (held + tiles + 1))


def up(n: int, step: int) -> int:
    """Round up to a multiple."""
    return -(-n // step) * step


def traced_peak(program: Callable[[], object]) -> int:
    """Measure the most bytes that Python's allocators (NumPy's too) handed out at once while a program runs.

    Parameters
    ----------
    program : callable without arguments
        It may call ``tracemalloc.reset_peak`` when its preparations are done.

    Examples
    --------
    >>> 8000 <= traced_peak(lambda: bytearray(8000)) < 9000
    True
    """
    tracemalloc.start()
    try:
        program()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
