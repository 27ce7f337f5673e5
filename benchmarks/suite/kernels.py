"""The kernels on plain arrays: fused, unfused, and with NumPy. All are checked against refbp first."""

import numpy as np

import refbp
from fastbp import Adam

from . import CHECKED
from .common import SHAPES, assert_product, kernels, layer

_DECAY = 1e-4
# With such a large epsilon, no weight changes by more than the gradient times the learning rate, so the effect of
# rounding errors of the gradient is bounded.
_ADAM = {"learning_rate": 1e-3, "epsilon": 1.0}
CASES = (*(f"{shape} float32" for shape in SHAPES), "m128_k256_n256 float64")


class _Kernel:
    params = (CASES,)
    param_names = ("layer",)
    repeat = (5, 15, 0.12)
    warmup_time = 0.03
    rounds = 2

    def setup(self, case):
        self.x, self.w, self.b, self.dz = layer(*case.split())
        self.out = np.full_like(self.dz, np.nan)

    def check_all(self):
        """Compile, and compare all ways of all layers with refbp.

        `setup_cache` of every class calls it. They cannot share one: asv takes those of a line for the same.
        """
        for case in () if CHECKED else CASES:
            for name in filter(lambda name: name.startswith("time_"), dir(self)):
                self.setup(case)
                getattr(self, name)(case)
                self.check(case)

    def exact(self, b, activation):
        """Forward pass of the layer by refbp, in float64."""
        x, w, b = (array.astype(np.float64) for array in (self.x, self.w, b))
        return refbp.predict([w], [b], x, activation="identity", output=activation)


class Gemm(_Kernel):
    """x @ w."""

    def setup_cache(self):
        self.check_all()

    def check(self, case):
        assert_product(self.out, self.exact(0 * self.b, "identity"), self.x, self.w)

    def time_fastbp(self, case):
        kernels.matmul(self.x, self.w, out=self.out)

    def time_numpy(self, case):
        np.matmul(self.x, self.w, out=self.out)


class GemmBiasRelu(_Kernel):
    """relu(x @ w + b)."""

    def setup_cache(self):
        self.check_all()

    def check(self, case):
        ones = np.ones((len(self.x), 1), self.x.dtype)
        assert_product(self.out, self.exact(self.b, "relu"), np.hstack([self.x, ones]), np.vstack([self.w, self.b]))

    def time_fused(self, case):
        kernels.linear(self.x, self.w, self.b, activation="relu", out=self.out)

    def time_unfused(self, case):
        kernels.matmul(self.x, self.w, out=self.out)
        self.out += self.b
        np.maximum(self.out, 0, out=self.out)

    def time_numpy(self, case):
        np.matmul(self.x, self.w, out=self.out)
        self.out += self.b
        np.maximum(self.out, 0, out=self.out)


class GemmReluGrad(_Kernel):
    """Gradients of a layer after a ReLU: of its weights, its biases and the input of the ReLU."""

    def setup_cache(self):
        self.check_all()

    def check(self, case):
        x, w, dz = (array.astype(np.float64) for array in (self.x, self.w, self.dz))
        dx = refbp.ACTIVATIONS["relu"].backward(dz @ w.T, x)
        assert_product(self.dx, dx, self.dz, self.w.T)
        assert_product(self.dw, x.T @ dz, self.x.T, self.dz)
        assert_product(self.db[None], dz.sum(axis=0)[None], np.ones((1, len(dz)), self.dz.dtype), self.dz)

    def time_fused(self, case):
        self.dx, self.dw, self.db = kernels.linear_backward(self.dz, self.x, self.w, activation="relu")

    def time_unfused(self, case):
        self.dx = kernels.matmul(self.dz, self.w.T)
        self.dx *= self.x > 0
        self.dw = kernels.matmul(self.x.T, self.dz)
        self.db = self.dz.sum(axis=0)

    def time_numpy(self, case):
        self.dx = self.dz @ self.w.T
        self.dx *= self.x > 0
        self.dw = self.x.T @ self.dz
        self.db = self.dz.sum(axis=0)


class GemmUpdate(_Kernel):
    """The same gradients, weight decay, and a step of Adam from zero moments."""

    def setup_cache(self):
        self.check_all()

    def setup(self, case):
        super().setup(case)
        # Every call changes these, and asv sets up anew before each.
        self.w, self.b = self.w.copy(), self.b.copy()
        self.state = kernels.LinearState.zeros(self.w, self.b, Adam(**_ADAM))

    def check(self, case):
        operands = layer(*case.split())
        x, w, b, dz = (array.astype(np.float64) for array in operands)
        rows = len(dz)
        refbp.Adam(**_ADAM).step([w, b], [(x.T @ dz + _DECAY * w) / rows, dz.sum(axis=0) / rows])
        eps = np.finfo(self.w.dtype).eps
        summed = abs(x).T @ abs(dz) + _DECAY * abs(operands.w)
        bound = _ADAM["learning_rate"] * 2 * eps * summed + 4 * eps * (abs(w) + _ADAM["learning_rate"])
        worst = np.max(abs(self.w - w) - bound)
        if not worst <= 0:
            raise AssertionError(f"weights are off by {worst:.3g} more than rounding allows")

    def time_fused(self, case):
        kernels.linear_backward_update(
            self.dz,
            self.x,
            self.w,
            self.b,
            self.state,
            optimizer=Adam(**_ADAM),
            activation="relu",
            weight_decay=_DECAY,
            batch_weight=len(self.dz),
        )

    def time_unfused(self, case):
        _, dw, db = kernels.linear_backward(self.dz, self.x, self.w, activation="relu", weight_decay=_DECAY)
        self._step(dw, db)

    def time_numpy(self, case):
        dx = self.dz @ self.w.T
        dx *= self.x > 0
        dw = self.x.T @ self.dz
        dw += _DECAY * self.w
        self._step(dw, self.dz.sum(axis=0))

    def _step(self, dw, db):
        dw /= len(self.dz)
        db /= len(self.dz)
        refbp.Adam(**_ADAM).step([self.w, self.b], [dw, db])
