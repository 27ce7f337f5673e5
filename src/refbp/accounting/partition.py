r"""A graph that is too large for one device: cut it, or train on a smaller minibatch (D2L, exercise).

"Assume that the compute graph is too large for your GPU. Can you partition it over more than one GPU? What are
the advantages and disadvantages over training on a smaller minibatch?"

It can be cut in two ways. `pipeline` gives each device some of the layers, and the rows pass from device to device.
`data_parallel` gives each device some of the rows, and every device has all layers. For a minibatch of :math:`m` rows,
k devices, P parameters:

=================  =====================================  ====================================================
way                memory of a device                     numbers sent in a step
=================  =====================================  ====================================================
pipeline           its layers: about 1/k of everything    :math:`2 \, m \, n_l` for each cut, behind layer l
data parallel      P, gradients, moments; 1/k of rows     :math:`2 \, (k - 1) \, P`, whatever m is
smaller minibatch  P, gradients, moments; fewer rows      none
=================  =====================================  ====================================================

- Both cuts compute the gradient of the whole minibatch. That of a smaller one has more noise, in proportion to
  :math:`1/\sqrt m`, but there are as many more updates in an epoch; and it needs neither a second device nor a
  network between the two.
- Where the parameters alone are too large, of these ways the pipeline is the only one that helps.
- The devices of a pipeline wait for each other: one minibatch takes as long as on a single one
  (`Partition.span`), unless its rows come in several portions. Data-parallel devices work at the same time.

Here the first device sums up all gradients and sends the sums to the others. Devices in a ring send as much in
total, but each of them only :math:`2 P (k - 1) / k` numbers.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from itertools import combinations

import numpy as np

from refbp.accounting.cost import table
from refbp.accounting.placement import Partition, place
from refbp.graph import Graph, Network, Variable, backprop
from refbp.graph.variables import add_up

Build = Callable[[int], Network]


def pipeline(
    build: Build, n: int, devices: int, limit: float = math.inf, *, optimizer: str = "sgd", itemsize: int = 8
) -> Partition:
    """Cut a network into stages of consecutive layers, one for each device.

    It chooses the cut whose fullest device holds least, and among several of these the one with the least traffic.

    Parameters
    ----------
    build : callable
        ``build(n)`` makes the network for a minibatch of n rows, see `refbp.graph.mlp`.
    n : int
        Rows of the minibatch.
    devices : int
        With a single one nothing is cut.
    limit : int
        Bytes that a device has.
    optimizer, itemsize
        See `Partition`.

    Returns
    -------
    Partition

    Raises
    ------
    ValueError
        If no cut fits into the limit, or if there are fewer layers than devices.

    Examples
    --------
    >>> from refbp import graph
    >>> def build(n):
    ...     return graph.mlp((50, 50, 50, 50, 10), n, activation="relu", loss="log_loss")
    >>> print(pipeline(build, 100, devices=2))
    device  parameters  moments    data   values    sent  received  multiply_adds   memory
    0           40,800   40,800  40,000  200,008  40,000    40,024      1,250,000  321,608
    1           24,480   24,480   8,000  164,080  40,024    40,000        900,000  221,040
    """
    net = build(n)
    count = len(net.weights)
    if devices > count:
        raise ValueError(f"{count} layers cannot be cut over {devices} devices")
    gradients = backprop(parameters(net), Graph([net.J]), net.J)
    with_first_weights = {a for v in net.graph.consumers[net.weights[0]] for a in v.inputs}
    ways = []
    for cuts in combinations(range(1, count), devices - 1):
        home = {v: 0 if v in with_first_weights else devices - 1 for v in given(net)}  # x, and what goes with y
        for layers in (net.weights, net.biases):
            home |= {p: bisect_right(cuts, i) for i, p in enumerate(layers)}
        steps, kept = place([net.J, *gradients.values()], home, {G: [home[p]] for p, G in gradients.items()})
        ways.append(Partition([net], home, steps, kept, devices, n, optimizer, itemsize))
    return within(limit, min(ways, key=lambda way: (way.memory, way.traffic.sum())))


def data_parallel(
    build: Build, n: int, devices: int, limit: float = math.inf, *, optimizer: str = "sgd", itemsize: int = 8
) -> Partition:
    r"""Give each device the whole network and a share of the rows, and all of them the sum of the gradients.

    .. math::
        J = \sum_d \frac{m_d}{m} J_d, \qquad \nabla_W J = \sum_d \frac{m_d}{m} \nabla_W J_d

    Parameters
    ----------
    build : callable
        As in `pipeline`; J must be a mean over the rows and a penalty that is the same for any number of them
        ("d2l" and "deep_learning" of `refbp.penalties`, not "scikit_learn").
    n : int
        Rows of the minibatch. Shares differ by one at most, the larger ones come first.
    devices, limit, optimizer, itemsize
        As in `pipeline`.

    Returns
    -------
    Partition
        It has a network for each device; all of them are to be given the same parameters.

    Raises
    ------
    ValueError
        If it does not fit into the limit.
    """
    shares = [len(rows) for rows in np.array_split(np.arange(n), devices)]
    nets = [build(rows) for rows in shares]
    J = add_up([rows / n * net.J for rows, net in zip(shares, nets, strict=True)], ()).called("J")
    replicas = [parameters(net) for net in nets]
    gradients = backprop([p for replica in replicas for p in replica], Graph([J]), J)
    sums = [add_up([gradients[p] for p in same], same[0].shape) for same in zip(*replicas, strict=True)]
    home = {v: device for device, net in enumerate(nets) for v in given(net)}
    steps, kept = place([J, *sums], home, dict.fromkeys(sums, range(devices)))
    return within(limit, Partition(nets, home, steps, kept, devices, n, optimizer, itemsize))


def largest_minibatch(build: Build, n: int, limit: float, *, optimizer: str = "sgd", itemsize: int = 8) -> int:
    """Find how many rows, at most n, a single device has room for. Parameters and errors are those of `pipeline`."""

    def memory(rows: int) -> int:
        return pipeline(build, rows, 1, optimizer=optimizer, itemsize=itemsize).memory

    rows = bisect_right(range(1, n + 1), limit, key=memory)
    if rows == 0:
        raise ValueError(f"a device holds {memory(1):,} bytes for one row alone, the limit is {limit:,}")
    return rows


def compare(ways: Mapping[str, Partition]) -> str:
    r"""Lay partitions side by side in a table, all costs for the rows of the largest minibatch among them.

    Its columns: devices; rows of an update; updates; bytes of the fullest device; bytes sent; multiply-adds of all
    devices, and `Partition.span`; noise of the gradient, the standard deviation of a mean of independently
    drawn rows as a multiple of the least one here.

    Parameters
    ----------
    ways : dict of str to Partition

    Examples
    --------
    >>> from refbp import graph
    >>> def build(n):
    ...     return graph.mlp((64,) * 9, n, activation="relu", loss="squared_error", penalty="d2l")
    >>> limit = 2_000_000
    >>> fewer = largest_minibatch(build, 512, limit)
    >>> ways = {
    ...     "whole": pipeline(build, 512, 1),
    ...     "pipeline": pipeline(build, 512, 4, limit),
    ...     "data parallel": data_parallel(build, 512, 4, limit),
    ...     "smaller minibatch": pipeline(build, fewer, 1, limit),
    ... }
    >>> print(compare(ways))
    way                devices  rows  updates     memory       sent  multiply-adds        span  noise
    whole                    1   512     1.00  5,251,080          0     48,234,496  48,234,496   1.00
    pipeline                 4   512     1.00  1,705,992  1,572,920     48,234,496  48,234,496   1.00
    data parallel            4   512     1.00  1,712,136  1,597,464     48,234,496  12,058,624   1.00
    smaller minibatch        1   159     3.22  1,997,832          0     48,234,496  48,234,496   1.79
    """
    most = max(way.rows for way in ways.values())
    rows: list[list[str | int]] = []
    for name, way in ways.items():
        updates = most / way.rows
        costs = (way.traffic.sum(), sum(load.multiply_adds for load in way.loads), way.span)
        scaled = [round(updates * int(cost)) for cost in costs]
        rows.append([name, way.devices, way.rows, f"{updates:.2f}", way.memory, *scaled, f"{math.sqrt(updates):.2f}"])
    heads = ["way", "devices", "rows", "updates", "memory", "sent", "multiply-adds", "span", "noise"]
    return "\n".join(table(heads, rows))


def parameters(net: Network) -> list[Variable]:
    """List weights and biases from the last layer to the first, the order in which their gradients are ready."""
    kinds = [kind[::-1] for kind in (net.weights, net.biases) if kind]
    return [p for layer in zip(*kinds, strict=True) for p in layer]


def given(net: Network) -> list[Variable]:
    """List parameters and data, all that wants a value."""
    return [v for v in net.graph if v.operation is None and v.value is None]


def within(limit: float, way: Partition) -> Partition:
    """Return the partition if it fits."""
    if way.memory > limit:
        raise ValueError(f"a device holds {way.memory:,} bytes, the limit is {limit:,}")
    return way
