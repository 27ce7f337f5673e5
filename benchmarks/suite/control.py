"""The control: how fast the machine is today. Nothing here runs any code of fastbp."""

from functools import cache

import numpy as np

_SIDE = 384
_COPIED_BYTES = 1 << 26  # more than the caches hold
_COUNT = 200_000


@cache
def _square() -> np.ndarray:
    return np.random.RandomState(0).rand(_SIDE, _SIDE).astype(np.float32)


@cache
def _buffers() -> tuple[np.ndarray, np.ndarray]:
    # `ones`, for pages of zeros are not there before they are written.
    return np.ones(_COPIED_BYTES, np.uint8), np.ones(_COPIED_BYTES, np.uint8)


class Machine:
    """Arithmetic, memory and the interpreter."""

    repeat = (5, 15, 0.4)
    warmup_time = 0.1
    rounds = 2

    def setup(self):
        self.a, (self.source, self.target) = _square(), _buffers()
        self.out = np.empty_like(self.a)

    def time_blas(self):
        np.matmul(self.a, self.a, out=self.out)

    def time_memory(self):
        np.copyto(self.target, self.source)

    def time_interpreter(self):
        total = 0
        for number in range(_COUNT):
            total += number & 3
