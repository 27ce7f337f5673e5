r"""A graph on several devices: where each operation runs, what is sent, and what each device holds.

Variables that are given (parameters, data) have a home. Everything else follows by one rule: an operation runs
where the given ones among its arguments are, or else where most bytes of its arguments are already; of several
such devices, on the first. Missing arguments are sent there. So the backward operations of a layer end up on the device
of its weights without further rules.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from refbp.accounting.cost import MOMENTS, table
from refbp.graph import Network, Variable
from refbp.graph.evaluation import owner
from refbp.graph.variables import in_order


class Step(NamedTuple):
    """Compute a variable on a device, or copy it there from a source; then drop values from devices."""

    variable: Variable
    device: int
    source: int | None
    drops: list[tuple[Variable, int]]


class Load(NamedTuple):
    """What a device holds, in bytes, and what it does in a step.

    Attributes
    ----------
    parameters, moments, data : int
        What lies there all the time: given variables that have their home there, and the optimizer's.
    values : int
        Most that computed and received values take at once.
    sent, received : int
        Bytes.
    multiply_adds : int
        Of matrix products.
    """

    parameters: int
    moments: int
    data: int
    values: int
    sent: int
    received: int
    multiply_adds: int

    @property
    def memory(self) -> int:
        """All that the device must have room for."""
        return self.parameters + self.moments + self.data + self.values


@dataclass(frozen=True)
class Partition:
    """A training step of a graph, cut over devices.

    Attributes
    ----------
    networks : list of Network
        Whose variables want values: one, or one for each device.
    home : dict of Variable to int
        The device of each variable that is given.
    steps : list of Step
    kept : dict of Variable to list of int
        The devices that have a target in the end. Targets are J and its gradients, see
        `partition.parameters`.
    devices, rows : int
        Their number, and that of the rows of the minibatch.
    optimizer : {"sgd", "nesterov", "adam"}
    itemsize : int
        Bytes of a number.
    """

    networks: list[Network]
    home: dict[Variable, int]
    steps: list[Step]
    kept: dict[Variable, list[int]]
    devices: int
    rows: int
    optimizer: str
    itemsize: int

    @property
    def traffic(self) -> np.ndarray:
        """Bytes of a step from device (row) to device (column), a (devices, devices) array."""
        traffic = np.zeros((self.devices, self.devices), dtype=int)
        for v, device, source, _ in self.steps:
            if source is not None:
                traffic[source, device] += size(v) * self.itemsize
        return traffic

    @property
    def loads(self) -> list[Load]:
        """What each device holds and does."""
        occupied, peak, work = ([0] * self.devices for _ in range(3))
        for v, device, source, drops in self.steps:
            if source is None:
                work[device] += multiply_adds(v)
            occupied[device] += size(v) * self.itemsize
            peak[device] = max(peak[device], occupied[device])
            for a, where in drops:
                occupied[where] -= size(a) * self.itemsize
        parameters, data = [0] * self.devices, [0] * self.devices
        trained = {p for net in self.networks for p in net.weights + net.biases}
        for v, device in self.home.items():
            (parameters if v in trained else data)[device] += size(v) * self.itemsize
        moments = [MOMENTS[self.optimizer] * p for p in parameters]
        sent, received = (self.traffic.sum(axis=axis).tolist() for axis in (1, 0))
        return [Load(*load) for load in zip(parameters, moments, data, peak, sent, received, work, strict=True)]

    @property
    def memory(self) -> int:
        """Bytes that the fullest device holds."""
        return max(load.memory for load in self.loads)

    @property
    def span(self) -> int:
        """Multiply-adds one after the other until the last device is done, if sending takes no time."""
        free = [0] * self.devices
        ready: dict[tuple[Variable, int], int] = {}
        for v, device, source, _ in self.steps:
            if source is None:
                start = max([free[device], *(ready.get((owner(a), device), 0) for a in v.inputs)])
                ready[v, device] = free[device] = start + multiply_adds(v)
            else:
                ready[v, device] = ready.get((v, source), 0)
        return max(free)

    def __str__(self) -> str:
        """Write a table with a line for each device."""
        rows: list[list[str | int]] = [[str(device), *load, load.memory] for device, load in enumerate(self.loads)]
        return "\n".join(table(["device", *Load._fields, "memory"], rows))


class Run(NamedTuple):
    """Result of `run`.

    Attributes
    ----------
    values : list of dict of int to array
        For each target, what each device has that keeps it.
    traffic : (devices, devices) array
        Bytes that were sent, counted.
    peak_bytes : list of int
        For each device, the most that given, computed and received arrays took at once, counted.
    """

    values: list[dict[int, np.ndarray]]
    traffic: np.ndarray
    peak_bytes: list[int]


def size(v: Variable) -> int:
    """Count the elements of a variable."""
    return math.prod(v.shape)


def multiply_adds(v: Variable) -> int:
    """Count the multiply-adds of the operation that computes a variable."""
    return v.operation.multiply_adds(*(a.shape for a in v.inputs)) if v.operation else 0


def place(
    targets: Sequence[Variable], home: Mapping[Variable, int], wanted: Mapping[Variable, Iterable[int]]
) -> tuple[list[Step], dict[Variable, list[int]]]:
    """Find out where each operation runs, what has to be sent, and when a value can be dropped.

    A value is sent to a device once. Views, and values computed from constants alone, are recomputed wherever they
    are used.

    Parameters
    ----------
    targets : list of Variable
    home : dict of Variable to int
        The device of each variable that is given and no constant.
    wanted : dict of Variable to devices
        Where targets must be in the end; those not in it stay where they were computed.

    Returns
    -------
    list of Step
    dict of Variable to list of int
        `Partition.kept`.
    """
    found = {v: [device] for v, device in home.items()}  # the devices that have it, first where it was made
    moves: list[tuple[Variable, int, int | None]] = []

    def send(v: Variable, device: int) -> None:
        if device not in found[v]:
            moves.append((v, device, found[v][0]))
            found[v].append(device)

    for v in in_order(targets):
        arguments = [a for a in dict.fromkeys(map(owner, v.inputs)) if a in found]
        if v is owner(v) and arguments:
            device = choose(arguments, home, found)
            for a in arguments:
                send(a, device)
            moves.append((v, device, None))
            found[v] = [device]
    kept = {}
    for target in targets:
        v = owner(target)
        kept[target] = list(wanted.get(target, found.get(v, [0])[:1]))
        if v in found:
            for device in kept[target]:
                send(v, device)
    return with_drops(moves, {(owner(v), device) for v in targets for device in kept[v]} | home.items()), kept


def choose(arguments: Sequence[Variable], home: Mapping[Variable, int], found: Mapping[Variable, list[int]]) -> int:
    """Choose the device of an operation: where given arguments are, or else where most bytes are."""
    candidates = {home[a] for a in arguments if a in home} or {d for a in arguments for d in found[a]}
    return max(sorted(candidates), key=lambda device: sum(size(a) for a in arguments if device in found[a]))


def with_drops(moves: Sequence[tuple[Variable, int, int | None]], keep: set[tuple[Variable, int]]) -> list[Step]:
    """Drop a value from a device after its last use there, unless it is to be kept."""
    last_use: dict[tuple[Variable, int], int] = {}
    for i, (v, device, source) in enumerate(moves):
        uses = [(v, source)] if source is not None else [(owner(a), device) for a in v.inputs]
        last_use.update(dict.fromkeys(uses, i))
    drops: list[list[tuple[Variable, int]]] = [[] for _ in moves]
    stored = {v for v, _, _ in moves}
    for (v, device), i in last_use.items():
        if v in stored and (v, device) not in keep:
            drops[i].append((v, device))
    return [Step(*move, dropped) for move, dropped in zip(moves, drops, strict=True)]


def run(partition: Partition, values: Mapping[Variable, Any]) -> Run:
    """Carry the steps out, each with what its device has and nothing else.

    Parameters
    ----------
    partition : Partition
    values : dict of Variable to array
        Of all variables that have a home, all of one floating type.

    Returns
    -------
    Run

    Raises
    ------
    KeyError
        If a value is not where it is needed.
    """
    dtype = np.result_type(*values.values())
    stores: list[dict[Variable, np.ndarray]] = [{} for _ in range(partition.devices)]
    for v, device in partition.home.items():
        stores[device][v] = np.asarray(values[v], dtype)
    stored = {*partition.home, *(step.variable for step in partition.steps)}
    traffic = np.zeros((partition.devices, partition.devices), dtype=int)
    peak = [sum(a.nbytes for a in store.values()) for store in stores]

    def look_up(v: Variable, device: int) -> np.ndarray:
        if v in stored:
            return stores[device][v]
        if v.operation is None:
            return np.asarray(v.value, dtype)
        return v.operation.f(*(look_up(a, device) for a in v.inputs))

    for v, device, source, drops in partition.steps:
        if source is None:
            assert v.operation is not None
            stores[device][v] = v.operation.f(*(look_up(a, device) for a in v.inputs))
        else:
            stores[device][v] = stores[source][v].copy()
            traffic[source, device] += stores[device][v].nbytes
        peak[device] = max(peak[device], sum(a.nbytes for a in stores[device].values()))
        for a, where in drops:
            del stores[where][a]
    results = [{device: look_up(v, device) for device in devices} for v, devices in partition.kept.items()]
    return Run(results, traffic, peak)
