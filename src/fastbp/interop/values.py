"""Single values as JSON and back, exactly, with types, precision and numbers that JSON cannot write.

What JSON has is written as it is. Everything else is an object of one form:

- ``{"float": "inf"}``: a float that is not finite;
- ``{"tuple": [...]}``;
- ``{"scalar": "float64", "value": 0.5}``: a scalar of NumPy;
- ``{"scalars": "float64", "values": [...]}``: a list of them, all alike;
- ``{"array": "int64", "values": [...]}``: a one-dimensional array; ``"str5"`` are strings of at most five characters,
  ``"object"`` are strings, too;
- ``{"RandomState": {...}}``: a generator of random numbers in its present state.
"""

import math
import re
from typing import Any

import numpy as np

__all__ = ["decode", "encode"]

_NUMBERS = {
    name: getattr(np, name)
    for name in (
        *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("float16", "float32", "float64"),
    )
} | {"bool": np.bool_}
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
# NumPy pads strings: a file may ask for this many bytes, plus some in proportion to its own text.
_PADDING = 1 << 24
_KEY_WORDS = 624  # of the Mersenne twister


def encode(value: Any) -> Any:
    """Return a value as what `json.dumps` takes.

    Raises
    ------
    ValueError
        If there is no form for it.
    """
    if isinstance(value, np.generic) and value.dtype.name in _NUMBERS:
        return {"scalar": value.dtype.name, "value": _plain(value.item())}
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, tuple):
        return {"tuple": [encode(item) for item in value]}
    if isinstance(value, list):
        return _encode_list(value)
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return _encode_array(value)
    if isinstance(value, np.random.RandomState):
        return {"RandomState": _encode_generator(value)}
    raise ValueError(f"a value of type {type(value).__name__} has no form in a file")


def decode(node: Any) -> Any:
    """Return the value that `encode` was given.

    Raises
    ------
    ValueError
        If the node has none of its forms. No more memory is allocated than in proportion to the node.
    """
    match node:
        case None | bool() | int() | str():
            return node
        case float() if math.isfinite(node):
            return node
        case list():
            return [decode(item) for item in node]
        case {"float": str(name)} if name in _NOT_FINITE:
            return _NOT_FINITE[name]
        case {"tuple": list(items)}:
            return tuple(decode(item) for item in items)
        case {"scalar": str(name), "value": value}:
            return _numbers(name, [value])[0]
        case {"scalars": str(name), "values": list(values)}:
            return list(_numbers(name, values))
        case {"array": str(name), "values": list(values)}:
            return _numbers(name, values) if name in _NUMBERS else _strings(name, values)
        case {"RandomState": dict(state)}:
            return _generator(state)
    raise ValueError(f"unknown kind of value: {_shown(node)}")


def _shown(node: Any) -> str:
    text = repr(node)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _plain(value: bool | float) -> bool | int | float | str:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _encode_list(values: list) -> Any:
    names = {value.dtype.name if isinstance(value, np.generic) else "" for value in values}
    name = names.pop() if len(names) == 1 else ""
    if name in _NUMBERS:
        return {"scalars": name, "values": [_plain(value.item()) for value in values]}
    return [encode(value) for value in values]


def _encode_array(array: np.ndarray) -> dict[str, Any]:
    name = array.dtype.name
    if name in _NUMBERS:
        return {"array": name, "values": [_plain(value) for value in array.tolist()]}
    if array.dtype.kind == "U":
        name = f"str{array.dtype.itemsize // 4}"
    elif name != "object" or not all(type(value) is str for value in array):
        raise ValueError(f"an array of dtype {array.dtype} has no form in a file")
    return {"array": name, "values": array.tolist()}


def _encode_generator(generator: np.random.RandomState) -> dict[str, Any]:
    state: Any = generator.get_state(legacy=False)
    if state["bit_generator"] != "MT19937":
        raise ValueError(f"a RandomState of {state['bit_generator']} has no form in a file")
    return {
        "key": state["state"]["key"].tolist(),
        "pos": int(state["state"]["pos"]),
        "has_gauss": int(state["has_gauss"]),
        "gauss": float(state["gauss"]),
    }


def _strings(name: str, values: list) -> np.ndarray:
    width = re.fullmatch(r"str(\d{1,9})", name)
    if not (name == "object" or width) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"not an array of {_shown(name)}: {_shown(values)}")
    if width is None:
        return np.array(values, dtype=object)
    size = int(width[1])
    longest = max(map(len, values), default=0)
    if size < longest or 4 * size * len(values) > _PADDING + 64 * sum(map(len, values)):
        raise ValueError(f"not an array of {name}: {len(values)} strings of up to {longest} characters")
    return np.array(values, dtype=f"<U{size}")


def _numbers(name: str, values: list) -> np.ndarray:
    if name not in _NUMBERS:
        raise ValueError(f"unknown kind of number: {_shown(name)}")
    dtype = np.dtype(_NUMBERS[name])
    kind: type = {"b": bool, "i": int, "u": int, "f": float}[dtype.kind]
    numbers = [_NOT_FINITE.get(value, value) if isinstance(value, str) else value for value in values]
    if not all(type(number) is kind for number in numbers):
        raise ValueError(f"not numbers of type {name}: {_shown(values)}")
    try:
        with np.errstate(over="raise"):
            return np.array(numbers, dtype=dtype)
    except (OverflowError, FloatingPointError) as error:
        raise ValueError(f"not numbers of type {name}: {_shown(values)}") from error


def _generator(state: dict[str, Any]) -> np.random.RandomState:
    match state:
        case {"key": list(words), "pos": int(pos), "has_gauss": 0 | 1 as has_gauss, "gauss": float(gauss)} if (
            math.isfinite(gauss)
        ):
            key = _numbers("uint32", words)
        case _:
            raise ValueError(f"not the state of a generator: {_shown(state)}")
    # NumPy does not check the position, and would read beyond the key. And from a key of zeros (only the first bit of
    # the first word counts) the generator draws nothing but zeros.
    if len(key) != _KEY_WORDS or not 0 <= pos <= _KEY_WORDS or not (key[0] >> 31 or key[1:].any()):
        raise ValueError("not the state of a generator: its key or its position is wrong")
    generator = np.random.RandomState()
    generator.set_state(
        {
            "bit_generator": "MT19937",
            "state": {"key": key, "pos": pos},
            "has_gauss": has_gauss,
            "gauss": gauss,
        }
    )
    return generator
