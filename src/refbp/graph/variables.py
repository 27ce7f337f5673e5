r"""The language of computational graphs: variables, operations, graphs.

"We use each node in the graph to indicate a variable ... An operation is a simple function of one or more
variables" and returns a single one (Deep Learning, section 6.5.1). A variable here is a *symbol*: it has a
shape but no number. Applying an operation to variables makes a variable. `refbp.graph.evaluate` computes the
numbers.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from refbp.numdiff import UndefinedDerivativeError

Shape = tuple[int, ...]


class Variable:
    """A node of a graph: a scalar, vector, matrix or tensor.

    Two variables are equal only if they are the same node. Arithmetic (``+ - * / @ **`` and ``.T``) makes new
    variables; numbers and arrays among the operands become constants.

    Attributes
    ----------
    shape : tuple of int
    name : str or None
        Variables without a name are called ``u1``, ``u2``, ... by the graph, see `Graph.names`.
    operation : Operation or None
        What computes it; None for what is given: parameters, data, constants.
    inputs : tuple of Variable
        The arguments of the operation.
    value : number, array or None
        Of a constant.
    """

    __slots__ = ("inputs", "name", "operation", "shape", "value")
    __array_ufunc__ = None  # NumPy leaves ``array * variable`` to __rmul__

    def __init__(
        self,
        shape: Shape,
        name: str | None = None,
        operation: "Operation | None" = None,
        inputs: tuple["Variable", ...] = (),
        value: Any = None,
    ) -> None:
        self.shape, self.name, self.operation, self.inputs, self.value = shape, name, operation, inputs, value

    def __repr__(self) -> str:
        return f"<{self.name or 'variable'} {self.shape}>"

    def called(self, name: str) -> "Variable":
        """Give the variable a name, and return it."""
        self.name = name
        return self

    def __add__(self, other: Any) -> "Variable":
        return OPERATIONS["+"].apply(self, other)

    def __radd__(self, other: Any) -> "Variable":
        return OPERATIONS["+"].apply(other, self)

    def __sub__(self, other: Any) -> "Variable":
        return OPERATIONS["-"].apply(self, other)

    def __rsub__(self, other: Any) -> "Variable":
        return OPERATIONS["-"].apply(other, self)

    def __mul__(self, other: Any) -> "Variable":
        return OPERATIONS["*"].apply(self, other)

    def __rmul__(self, other: Any) -> "Variable":
        return OPERATIONS["*"].apply(other, self)

    def __truediv__(self, other: Any) -> "Variable":
        return OPERATIONS["/"].apply(self, other)

    def __rtruediv__(self, other: Any) -> "Variable":
        return OPERATIONS["/"].apply(other, self)

    def __matmul__(self, other: Any) -> "Variable":
        return OPERATIONS["matmul"].apply(self, other)

    def __pow__(self, exponent: float) -> "Variable":
        return OPERATIONS["power"].apply(self, exponent=exponent)

    def __neg__(self) -> "Variable":
        return OPERATIONS["negate"].apply(self)

    @property
    def T(self) -> "Variable":
        """The transposed variable."""
        return OPERATIONS["transpose"].apply(self)


def variable(name: str, shape: Shape) -> Variable:
    """Make a variable that is given, not computed."""
    return Variable(shape, name)


def constant(value: Any, name: str | None = None) -> Variable:
    """Make a variable that always has the same value, a number or an array."""
    return Variable(np.shape(value), name, value=value)


class Operation:
    """A function ``f`` of arrays, with a back-propagation ``rule`` of variables for each argument beside it.

    There is one instance for each variable that is computed.

    Attributes
    ----------
    symbol : str
        What a drawing writes into the circle.
    view : bool
        Whether the output lies in the memory of the first input.
    output : Variable
        What this instance computes.
    """

    symbol: str
    view = False
    output: Variable

    def __init_subclass__(cls) -> None:
        if "symbol" in vars(cls):
            OPERATIONS[cls.symbol] = cls

    @classmethod
    def apply(cls, *inputs: Any, **parameters: Any) -> Variable:
        """Make the variable that this operation computes from the inputs; numbers become constants."""
        operation = cls(**parameters)
        variables = tuple(v if isinstance(v, Variable) else constant(v) for v in inputs)
        shape = operation.shape(*(v.shape for v in variables))
        operation.output = Variable(shape, operation=operation, inputs=variables)
        return operation.output

    def f(self, *arrays: Any, **nothing: Any) -> Any:
        """Compute the output's number, ``op.f(inputs)``."""
        raise NotImplementedError

    def shape(self, *shapes: Shape) -> Shape:
        """Return the output's shape, given those of the inputs; by default they are broadcast."""
        return np.broadcast_shapes(*shapes)

    def rule(self, k: int, inputs: Sequence[Variable], G: Variable) -> Variable:
        """Build the gradient by input number ``k``, as if all inputs were distinct variables."""
        raise UndefinedDerivativeError(f"no derivative: operation {self.symbol!r} has none")

    def bprop(self, inputs: Sequence[Variable], X: Variable, G: Variable) -> Variable:
        r"""Build the gradient by ``X`` from the gradient ``G`` on the output, by the chain rule (6.47).

        .. math::
            \sum_i (\nabla_X \mathrm{op.f(inputs)}_i) \, G_i \tag{6.54}

        Where ``X`` is an input more than once, as in ``x * x``, its gradients are summed.
        """
        return add_up([self.rule(k, inputs, G) for k, A in enumerate(inputs) if A is X], X.shape)

    def multiply_adds(self, *shapes: Shape) -> int:
        """Count the multiply-adds of a matrix product, which dominate the cost (section 6.5.7)."""
        return 0


OPERATIONS: dict[str, type[Operation]] = {}
"""The "set of allowable operations" (section 6.5.1) by symbol. Every operation enters it as it is defined."""


def zeros(shape: Shape) -> Variable:
    """Make a variable that is zero everywhere."""
    return OPERATIONS["broadcast"].apply(0.0, to=shape)


def add_up(parts: Sequence[Variable], shape: Shape) -> Variable:
    r"""Build :math:`\sum_i G^{(i)}`; the sum of nothing is zero."""
    if not parts:
        return zeros(shape)
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


class Graph:
    """Variables, each after its inputs, with a unique name for each.

    Names and order follow from how the graph was written, so that two runs give the same drawing.

    Parameters
    ----------
    outputs : variables
        The graph is made of these and their ancestors.

    Attributes
    ----------
    names : dict of Variable to str
        Its own name if that is free; ``u1``, ``u2``, ... for a variable without one.
    consumers : dict of Variable to list of Variable
    """

    def __init__(self, outputs: Iterable[Variable] = ()) -> None:
        self.names: dict[Variable, str] = {}
        self.consumers: dict[Variable, list[Variable]] = {}
        self._taken: set[str] = set()
        self._tried: dict[str | None, int] = {}
        for v in outputs:
            self.insert(v)

    def __contains__(self, v: object) -> bool:
        return v in self.consumers

    def __iter__(self) -> Iterator[Variable]:
        return iter(self.consumers)

    def __len__(self) -> int:
        return len(self.consumers)

    def insert(self, v: Variable) -> None:
        """Insert a variable "and the operations creating it" (algorithm 6.6)."""
        for node in in_order([v], known=self.consumers):
            self.consumers[node] = []
            for a in dict.fromkeys(node.inputs):
                self.consumers[a].append(node)
            self.names[node] = self._free_name(node.name)

    def _free_name(self, name: str | None) -> str:
        free = name
        while free is None or free in self._taken:
            i = self._tried[name] = self._tried.get(name, 0) + 1
            free = f"u{i}" if name is None else f"{name} ({i + 1})"
        self._taken.add(free)
        return free

    def restricted_to(self, keep: Container[Variable]) -> "Graph":
        """Make the graph of those of the variables that are in ``keep``, and the edges between them."""
        part = Graph()
        for v in self:
            if v in keep:
                part.names[v] = self.names[v]
                part.consumers[v] = [c for c in self.consumers[v] if c in keep]
        return part


def in_order(targets: Iterable[Variable], known: Container[Variable] = ()) -> list[Variable]:
    """List the targets and all their ancestors, each after its inputs; leave out what is ``known``."""
    order: dict[Variable, None] = {}
    stack = [(v, False) for v in targets][::-1]
    while stack:
        v, inputs_done = stack.pop()
        if v in order or v in known:
            continue
        if inputs_done:
            order[v] = None
        else:
            stack.append((v, True))
            stack.extend((a, False) for a in reversed(v.inputs))
    return list(order)


def get_operation(v: Variable) -> Operation | None:
    """Return "the operation that computes V, represented by the edges coming into V" (section 6.5.6)."""
    return v.operation


def get_consumers(v: Variable, graph: Graph) -> list[Variable]:
    """Return "the list of variables that are children of V in the computational graph" (section 6.5.6)."""
    return graph.consumers.get(v, [])


def get_inputs(v: Variable, graph: Graph) -> list[Variable]:
    """Return "the list of variables that are parents of V in the computational graph" (section 6.5.6).

    All of them, even those that pruning took out of the graph: a rule needs its other arguments.
    """
    return list(v.inputs) if v in graph else []
