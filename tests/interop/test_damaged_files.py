"""Files that are damaged, or made to do harm: one ValueError that names the file, no code, no absurd memory."""

import hashlib
import json
import resource
import struct
import tracemalloc

import numpy as np
import pytest

from fastbp import MLPClassifier, MLPRegressor

pytest.importorskip("safetensors")

CHECKSUM = len('{"sha256":"",') + 64


@pytest.fixture
def small(samples, tmp_path):
    """A file of a half-trained classifier, as small as may be."""
    X, y = samples("strings")
    model = MLPClassifier(hidden_layer_sizes=1, random_state=0).partial_fit(X[:, :1], y, classes=["no", "yes"])
    model.save(tmp_path / "model")
    return tmp_path / "model"


def assert_refused(path, kind=MLPClassifier):
    with pytest.raises(ValueError, match=f"^{path} is damaged or no file of {kind.__name__}.save: .") as caught:
        kind.load(path)
    return str(caught.value)


def test_every_truncation_is_found(small):
    data = small.read_bytes()
    for length in range(len(data)):
        small.write_bytes(data[:length])
        assert_refused(small)
    small.write_bytes(data + b"\0")
    assert_refused(small)


def test_every_flipped_byte_and_bit_is_found(small):
    data = bytearray(small.read_bytes())
    for place in range(len(data)):
        for bits in (0xFF, 1 << place % 8):
            data[place] ^= bits
            small.write_bytes(data)
            assert_refused(small)
            data[place] ^= bits
    small.write_bytes(data)
    MLPClassifier.load(small)


def test_every_missing_byte_is_found(small):
    data = small.read_bytes()
    for place in range(len(data)):
        small.write_bytes(data[:place] + data[place + 1 :])
        assert_refused(small)


def test_random_bytes_are_refused(small, rng):
    for size in range(200):
        small.write_bytes(rng.bytes(size))
        assert_refused(small)


class Forged:
    """A file of somebody who knows how to make checksums."""

    def __init__(self, path):
        from safetensors import safe_open

        self.path = path
        with safe_open(path, framework="numpy") as file:
            text = file.metadata()["fastbp"]
            self.tensors = {name: file.get_tensor(name) for name in list(file.keys())}
        self.header = json.loads("{" + text[CHECKSUM:])

    def write(self, rest=None):
        from safetensors.numpy import save

        rest = json.dumps(self.header)[1:] if rest is None else rest
        digest = hashlib.sha256(rest.encode())
        for name, array in sorted(self.tensors.items()):
            digest.update(f"{name} {array.dtype.name} {array.shape}".encode() + array.tobytes())
        self.path.write_bytes(save(self.tensors, {"fastbp": f'{{"sha256":"{digest.hexdigest()}",{rest}'}))


def test_forgeries_are_read_if_they_fit(small):
    forged = Forged(small)
    forged.header["parameters"]["alpha"] = 0.5
    forged.tensors["coefs_.0"][0, 0] = 7
    forged.write()
    model = MLPClassifier.load(small)
    assert (model.alpha, model.coefs_[0][0, 0]) == (0.5, 7)


def set_at(path, value):
    """Return a function that sets an item deep inside of the header."""

    def change(forged):
        *owners, last = path.split("/")
        place = forged.header
        for owner in owners:
            place = place[owner]
        place[last] = value

    return change


def both(*changes):
    def change(forged):
        for each in changes:
            each(forged)

    return change


def drop_at(path):
    def change(forged):
        *owners, last = path.split("/")
        place = forged.header
        for owner in owners:
            place = place[owner]
        del place[last]

    return change


def tensor(name, value):
    return lambda forged: forged.tensors.__setitem__(name, value)


def tensors(change):
    return lambda forged: forged.tensors.update({name: change(array) for name, array in forged.tensors.items()})


NAN = float("nan")
FITTED, PARAMETERS, ATTRIBUTES = "fitted", "parameters", "fitted/attributes"

HOSTILE = {
    # The frame.
    "no format": drop_at("format"),
    "other format": set_at("format", "fastbp estimator 2"),
    "class of a module": set_at("class", "os.system"),
    "no class": drop_at("class"),
    "class is no name": set_at("class", ["MLPClassifier"]),
    "no parameters": drop_at(PARAMETERS),
    "parameters are a list": set_at(PARAMETERS, []),
    "no fitted": drop_at(FITTED),
    "fitted is a list": set_at(FITTED, []),
    "fitted is empty": set_at(FITTED, {}),
    "unfitted with tensors": set_at(FITTED, None),
    # Parameters.
    "unknown parameter": set_at(f"{PARAMETERS}/__class__", "x"),
    "self as a parameter": set_at(f"{PARAMETERS}/self", "x"),
    "text for a number": set_at(f"{PARAMETERS}/alpha", "0.1"),
    "nan for a number": set_at(f"{PARAMETERS}/alpha", {"float": "nan"}),
    "plain nan": set_at(f"{PARAMETERS}/alpha", NAN),
    "list for a number": set_at(f"{PARAMETERS}/alpha", [0.1]),
    "number for a name": set_at(f"{PARAMETERS}/activation", 3),
    "unknown activation": set_at(f"{PARAMETERS}/activation", "swish"),
    "text for a bool": set_at(f"{PARAMETERS}/shuffle", "yes"),
    "layers of text": set_at(f"{PARAMETERS}/hidden_layer_sizes", {"tuple": ["a"]}),
    "layers of lists": set_at(f"{PARAMETERS}/hidden_layer_sizes", [[1]]),
    "layers without units": set_at(f"{PARAMETERS}/hidden_layer_sizes", [0]),
    "layers of floats": set_at(f"{PARAMETERS}/hidden_layer_sizes", [1.5]),
    "a generator of nothing": set_at(f"{PARAMETERS}/random_state", {"RandomState": {}}),
    "an object": set_at(f"{PARAMETERS}/random_state", {"__reduce__": ["os.system", "true"]}),
    # Layers.
    "no layers": drop_at(f"{FITTED}/layers"),
    "layers are a number": set_at(f"{FITTED}/layers", 3),
    "one layer": set_at(f"{FITTED}/layers", [1]),
    "another layer": set_at(f"{FITTED}/layers", [1, 1, 1, 1]),
    "wider layers": set_at(f"{FITTED}/layers", [1, 2, 1]),
    "absurd layers": set_at(f"{FITTED}/layers", [2**40, 2**40, 2**40]),
    "layers beyond all numbers": set_at(f"{FITTED}/layers", [1, 10**100, 1]),
    "negative layers": set_at(f"{FITTED}/layers", [1, -1, 1]),
    "layers of nan": set_at(f"{FITTED}/layers", [1, NAN, 1]),
    "layers of bools": set_at(f"{FITTED}/layers", [True, True, True]),
    "empty layers": set_at(f"{FITTED}/layers", [1, 0, 1]),
    # Arrays.
    "a tensor too many": tensor("coefs_.2", np.ones((1, 1))),
    "a foreign tensor": tensor("hello", np.ones(1)),
    "a tensor missing": lambda forged: forged.tensors.pop("intercepts_.1"),
    "a moment missing": lambda forged: forged.tensors.pop("optimizer.vs.3"),
    "another shape": tensor("coefs_.0", np.ones((2, 1))),
    "a flat shape": tensor("coefs_.0", np.ones(1)),
    "other dtypes": tensors(lambda array: array.astype(np.int64)),
    "half precision": tensors(lambda array: array.astype(np.float16)),
    "mixed dtypes": tensor("coefs_.0", np.ones((1, 1), np.float32)),
    "mixed moments": tensor("optimizer.ms.0", np.ones((1, 1), np.float32)),
    "weights of nan": tensor("coefs_.0", np.full((1, 1), np.nan)),
    "biases of inf": tensor("intercepts_.1", np.full(1, np.inf)),
    # Attributes.
    "no attributes": drop_at(ATTRIBUTES),
    "attributes are a list": set_at(ATTRIBUTES, ["predict"]),
    "a method": set_at(f"{ATTRIBUTES}/predict", "x"),
    "a dunder": set_at(f"{ATTRIBUTES}/__dict__", "x"),
    "a private attribute": set_at(f"{ATTRIBUTES}/_optimizer", "x"),
    "no n_features_in_": drop_at(f"{ATTRIBUTES}/n_features_in_"),
    "other n_features_in_": set_at(f"{ATTRIBUTES}/n_features_in_", 2),
    "other n_layers_": set_at(f"{ATTRIBUTES}/n_layers_", 4),
    "other n_outputs_": set_at(f"{ATTRIBUTES}/n_outputs_", 2),
    "n_outputs_ of nan": set_at(f"{ATTRIBUTES}/n_outputs_", {"float": "nan"}),
    "negative t_": set_at(f"{ATTRIBUTES}/t_", -1),
    "huge t_": set_at(f"{ATTRIBUTES}/t_", 2**63),
    "t_ of text": set_at(f"{ATTRIBUTES}/t_", "1"),
    "a loss of text": set_at(f"{ATTRIBUTES}/loss_", "1"),
    "a curve of text": set_at(f"{ATTRIBUTES}/loss_curve_", ["1"]),
    "a curve that is a number": set_at(f"{ATTRIBUTES}/loss_curve_", 1.0),
    "an infinite number": set_at(f"{ATTRIBUTES}/loss_", float("inf")),
    "unknown output": set_at(f"{ATTRIBUTES}/out_activation_", "sign"),
    "output of a list": set_at(f"{ATTRIBUTES}/out_activation_", ["softmax"]),
    "output of a regressor": set_at(f"{ATTRIBUTES}/out_activation_", "identity"),
    "softmax of one": set_at(f"{ATTRIBUTES}/out_activation_", "softmax"),
    "feature names of a string": set_at(f"{ATTRIBUTES}/feature_names_in_", "a"),
    "too many feature names": set_at(f"{ATTRIBUTES}/feature_names_in_", {"array": "object", "values": ["a", "b"]}),
    # Classes.
    "no classes_": drop_at(f"{ATTRIBUTES}/classes_"),
    "other classes_": set_at(f"{ATTRIBUTES}/classes_", {"array": "str3", "values": ["ja", "nej"]}),
    "no labels": drop_at(f"{FITTED}/labels"),
    "labels are null": set_at(f"{FITTED}/labels", None),
    "labels are a list": set_at(f"{FITTED}/labels", []),
    "labels without classes": drop_at(f"{FITTED}/labels/classes"),
    "labels with more": set_at(f"{FITTED}/labels/more", 1),
    "three classes": set_at(f"{FITTED}/labels/classes", {"array": "int64", "values": [0, 1, 2]}),
    "no class at all": set_at(f"{FITTED}/labels/classes", {"array": "int64", "values": []}),
    "a class twice": set_at(f"{FITTED}/labels/classes", {"array": "int64", "values": [1, 1]}),
    "classes the other way": both(
        set_at(f"{FITTED}/labels/classes", {"array": "str3", "values": ["yes", "no"]}),
        set_at(f"{ATTRIBUTES}/classes_", {"array": "str3", "values": ["yes", "no"]}),
    ),
    "classes of nan": set_at(f"{FITTED}/labels/classes", {"array": "float64", "values": [0.0, "nan"]}),
    "classes in a list": set_at(f"{FITTED}/labels/classes", ["no", "yes"]),
    "padded classes": set_at(f"{FITTED}/labels/classes", {"array": "str900000000", "values": ["no", "yes"]}),
    "multilabel": set_at(f"{FITTED}/labels/multilabel", True),
    "multilabel by text": set_at(f"{FITTED}/labels/multilabel", "no"),
    "sparse by number": set_at(f"{FITTED}/labels/sparse", 1),
    # The optimizer.
    "no optimizer": drop_at(f"{FITTED}/optimizer"),
    "another optimizer": set_at(f"{FITTED}/optimizer/kind", "SGD"),
    "an unknown optimizer": set_at(f"{FITTED}/optimizer/kind", "RMSprop"),
    "an optimizer of a list": set_at(f"{FITTED}/optimizer/kind", ["Adam"]),
    "the optimizer is a list": set_at(f"{FITTED}/optimizer", []),
    "moments by text": set_at(f"{FITTED}/optimizer/moments", "yes"),
    "moments without tensors": set_at(f"{FITTED}/optimizer/moments", False),
    "no decay": drop_at(f"{FITTED}/optimizer/beta_1"),
    "a decay of text": set_at(f"{FITTED}/optimizer/beta_1", "0.9"),
    "a decay of nan": set_at(f"{FITTED}/optimizer/beta_1", {"float": "nan"}),
    "a decay of one": set_at(f"{FITTED}/optimizer/beta_2", 1.0),
    "an infinite rate": set_at(f"{FITTED}/optimizer/learning_rate", {"float": "inf"}),
    "a rate of text": set_at(f"{FITTED}/optimizer/learning_rate_init", "1"),
    "steps of a float": set_at(f"{FITTED}/optimizer/t", 1.5),
    "too many steps": set_at(f"{FITTED}/optimizer/t", 10**30),
    # Metadata requests.
    "requests of text": set_at("requests", "x"),
    "requests to any method": set_at("requests", {"params": {"alpha": "x"}}),
    "requests of lists": set_at("requests", {"fit": {"sample_weight": [1]}}),
    "requests for anything": set_at("requests", {"fit": {"hello": True}}),
    "requests by code": set_at("requests", {"fit": {"sample_weight": "import os"}}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_forgeries_that_do_not_fit_are_refused(small, name):
    forged = Forged(small)
    HOSTILE[name](forged)
    forged.write()
    assert "checksum" not in assert_refused(small)


def test_requests_are_for_methods_that_take_weights(small):
    """And set no attribute by another method's name."""

    class Special(MLPClassifier):
        def set_note_request(self, **requests):
            raise AssertionError(requests)

    forged = Forged(small)
    forged.header |= {"class": "Special", "requests": {"note": {"a": True}}}
    forged.write()
    assert "its metadata requests are wrong" in assert_refused(small, Special)


TEXTS = {
    "empty": "",
    "a list": "[]",
    "nan": "NaN}",
    "twice as much": '"a":1}}',
    "deep": '"a":' + "[" * 10**5,
    "deep and closed": '"a":' + "[" * 10**5 + "]" * 10**5 + "}",
    "a long number": '"a":' + "9" * 10**4 + "}",
    "a large exponent": '"a":1e999}',
    "a surrogate": '"a":"\\ud800"}',
}


@pytest.mark.parametrize("name", TEXTS)
def test_other_texts_are_refused(small, name):
    forged = Forged(small)
    forged.write(TEXTS[name])
    assert_refused(small)


def test_other_safetensors_files_are_refused(small):
    from safetensors.numpy import save_file

    for metadata in (None, {}, {"format": "pt"}, {"fastbp": ""}, {"fastbp": "3"}, {"fastbp": "null"}):
        save_file({"weight": np.ones((2, 2))}, small, metadata)
        assert_refused(small)


def raw(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


LARGE = 2**62
ABSURD = {
    "length of the header": struct.pack("<Q", 2**63 - 1) + b"{}",
    "length of all bits": b"\xff" * 8 + b"{}",
    "a hundred megabytes": struct.pack("<Q", 10**8) + b"{}",
    "a tensor beyond the end": raw({"a": {"dtype": "F64", "shape": [2**40], "data_offsets": [0, 2**43]}}),
    "a shape that overflows": raw({"a": {"dtype": "F64", "shape": [LARGE, LARGE], "data_offsets": [0, 8]}}, bytes(8)),
    "overlapping tensors": raw(
        {name: {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]} for name in ("a", "b")}, bytes(8)
    ),
    "a hole": raw({"a": {"dtype": "F64", "shape": [1], "data_offsets": [8, 16]}}, bytes(16)),
    "backwards": raw({"a": {"dtype": "F64", "shape": [1], "data_offsets": [8, 0]}}, bytes(8)),
    "negative": raw({"a": {"dtype": "F64", "shape": [-1], "data_offsets": [0, 8]}}, bytes(8)),
    "unknown dtype": raw({"a": {"dtype": "O", "shape": [1], "data_offsets": [0, 8]}}, bytes(8)),
    "no JSON": raw(b"\x80\x04\x95c"),
    "no text": raw(b"\xff\xfe"),
    "a pickle": b"\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
}


@pytest.mark.parametrize("name", ABSURD)
def test_absurd_frames_are_refused(small, name):
    small.write_bytes(ABSURD[name])
    assert_refused(small)


def test_refusing_takes_no_absurd_memory(small):
    """All of the above, and what is peculiar to this machine's memory, in a few megabytes."""
    tracemalloc.start()
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for data in ABSURD.values():
        small.write_bytes(data)
        assert_refused(small)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**22
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident < 2**16  # in KiB


def test_files_of_large_shapes_are_refused_before_memory_is_taken(small):
    """A sparse file is as large as it says, and takes no room on the disk."""
    header = {"a": {"dtype": "F64", "shape": [2**37], "data_offsets": [0, 2**40]}}
    frame = raw(header)
    with small.open("wb") as file:
        file.write(frame)
        file.truncate(len(frame) + 2**40)
    assert_refused(small)


def test_refused_with_the_name_of_the_class_that_was_asked(small):
    small.write_bytes(b"")
    assert_refused(small, MLPRegressor)
