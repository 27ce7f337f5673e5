r"""Evaluate a graph with numbers, and count what that costs.

First a *schedule* is made, which needs no numbers: which node is computed when, and when its value is dropped
because nothing needs it any more. Then it is carried out (`evaluate`) or counted (`trace`).

"Equation 6.52 suggests an implementation in which we compute the value of f(w) only once and store it ...
Equation 6.53 is also a valid implementation of the chain rule and is useful when memory is limited" (Deep
Learning, section 6.5.3): nodes named in ``recompute`` are not stored but computed anew for every operation
that needs them.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from refbp.graph.variables import Variable, in_order


class Step(NamedTuple):
    """One operation of a schedule: compute a variable, then drop the values that are not needed any more."""

    variable: Variable
    drops: tuple[Variable, ...]


class Trace(NamedTuple):
    """What a schedule costs.

    Attributes
    ----------
    operations : int
        How many operations are run, views (transpose, reshape, broadcast) not counted.
    multiply_adds : int
        Those of matrix products.
    bytes : list of int
        Memory that computed values occupy after every step, before its drops. What is given (parameters, data,
        constants) is not counted, and a view has no memory of its own.
    peak_bytes : int
    """

    operations: int
    multiply_adds: int
    bytes: list[int]
    peak_bytes: int


class Evaluation(NamedTuple):
    """Result of `evaluate`.

    Attributes
    ----------
    values : list of array
        One for each target.
    steps : list of Step
        What was done, in order; a variable that was computed twice is in it twice.
    trace : Trace
        What it cost.
    """

    values: list[np.ndarray]
    steps: list[Step]
    trace: Trace


def evaluate(
    targets: Sequence[Variable], values: Mapping[Variable, Any], recompute: Collection[Variable] = ()
) -> Evaluation:
    """Compute numbers: algorithm 6.1 for the targets and whatever they depend on.

    Parameters
    ----------
    targets : list of Variable
    values : dict of Variable to array
        Of all given variables the targets depend on. A value given for a computed variable is not used. The
        arithmetic is in the widest floating type among them, constants too.
    recompute : collection of Variable
        Computed anew for every operation that needs them; see `fit_to_memory`. The numbers are the same.

    Returns
    -------
    Evaluation

    Raises
    ------
    ValueError
        If a value is missing or has another shape than its variable.

    Examples
    --------
    >>> from refbp.graph import exp, variable
    >>> w = variable("w", (2,))
    >>> x = exp(w)
    >>> result = evaluate([x * x], {w: np.array([0.0, 1.0])})
    >>> result.values[0].round(6)
    array([1.      , 7.389056])
    >>> result.trace.operations, result.trace.peak_bytes
    (2, 32)
    """
    arrays = [np.asarray(value) for value in values.values()]
    floating = [a.dtype for a in arrays if np.issubdtype(a.dtype, np.inexact)]
    dtype = np.result_type(*floating) if floating else np.dtype(float)

    stored: dict[Variable, np.ndarray] = {}
    for v in in_order(targets):
        if v.operation is None:
            value = values.get(v, v.value)
            if value is None or np.shape(value) != v.shape:
                raise ValueError(f"the value of {v} is missing or of shape {np.shape(value)}")
            stored[v] = np.asarray(value, dtype)
    steps = schedule(targets, recompute)
    for v, drops in steps:
        assert v.operation is not None
        stored[v] = v.operation.f(*(stored[a] for a in v.inputs))
        for a in drops:
            del stored[a]
    return Evaluation([stored[v] for v in targets], steps, trace(steps, dtype.itemsize))


def schedule(targets: Sequence[Variable], recompute: Collection[Variable] = ()) -> list[Step]:
    """Order the operations, and find out after which one each value can be dropped.

    Before a stored variable is computed, those of its ancestors that are not stored are, as far back as values
    are stored; they are dropped again at the latest when the variable is known.

    Parameters
    ----------
    targets, recompute
        As in `evaluate`. Targets are always stored, and a view of what is recomputed never is.
    """
    order = in_order(targets)
    wanted, chosen = set(targets), set(recompute)
    again = {v for v in order if v.operation and v not in wanted and not chosen.isdisjoint({v, owner(v)})}
    kept = set(order) - again
    runs = [
        (v, stretch)
        for stretch in (v for v in order if v in kept and v.operation)
        for v in [*in_order(stretch.inputs, known=kept), stretch]
    ]

    last_use: dict[tuple[Variable, Variable | None], int] = {}
    for i, (v, stretch) in enumerate(runs):
        for a in (*v.inputs, v):
            if a.operation and a not in wanted:
                last_use[a, stretch if a in again else None] = i
    drops: list[list[Variable]] = [[] for _ in runs]
    for (a, _), i in last_use.items():
        drops[i].append(a)
    return [Step(v, tuple(dropped)) for (v, _), dropped in zip(runs, drops, strict=True)]


def owner(v: Variable) -> Variable:
    """Return the variable whose memory a view lies in; any other variable itself."""
    while v.operation and v.operation.view:
        v = v.inputs[0]
    return v


def trace(steps: Sequence[Step], itemsize: int = 8) -> Trace:
    """Count what a schedule costs, without carrying it out.

    Parameters
    ----------
    steps : list of Step
    itemsize : int
        Bytes of a number.
    """
    occupied = operations = multiply_adds = 0
    sizes = []
    users: dict[Variable, int] = {}  # of each piece of memory: the variable that owns it, and its views
    for v, drops in steps:
        assert v.operation is not None
        operations += not v.operation.view
        multiply_adds += v.operation.multiply_adds(*(a.shape for a in v.inputs))
        users[owner(v)] = users.get(owner(v), 0) + 1
        if users[owner(v)] == 1:
            occupied += size(owner(v), itemsize)
        sizes.append(occupied)
        for a in drops:
            users[owner(a)] -= 1
            if users[owner(a)] == 0:
                occupied -= size(owner(a), itemsize)
    return Trace(operations, multiply_adds, sizes, max(sizes, default=0))


def size(v: Variable, itemsize: int) -> int:
    """Count the bytes that a value takes; none if it is given."""
    return math.prod(v.shape) * itemsize if v.operation else 0


def fit_to_memory(targets: Sequence[Variable], budget: int, itemsize: int = 8) -> list[Variable]:
    """Choose what to recompute so that no more than ``budget`` bytes are occupied at any time.

    Greedy: as long as the peak is too high, the largest value that only waits there is not stored any more.

    Parameters
    ----------
    targets : list of Variable
    budget : int
        To compare with `Trace.peak_bytes`.
    itemsize : int
        Bytes of a number.

    Returns
    -------
    list of Variable
        The ``recompute`` of `evaluate`.

    Raises
    ------
    ValueError
        If nothing is left to drop and the peak is still too high.
    """
    recompute: list[Variable] = []
    while True:
        steps = schedule(targets, recompute)
        sizes = trace(steps, itemsize).bytes
        highest = max(sizes, default=0)
        if highest <= budget:
            return recompute
        peak = sizes.index(highest)
        waiting: dict[Variable, None] = {}
        for v, drops in steps[:peak]:
            waiting[v] = None
            for a in drops:
                del waiting[a]
        busy = {owner(v) for v in (*targets, *steps[peak].variable.inputs, *recompute)}
        candidates = [v for v in waiting if v is owner(v) and v not in busy]
        if not candidates:
            raise ValueError(f"does not fit into {budget} bytes: at least {highest} are needed at once")
        recompute.append(max(candidates, key=lambda v: size(v, itemsize)))
