"""How many float32 operations a second the cores can do at most: fused multiply-adds and no more.

    python benchmarks/peak.py

Everything stays in registers, so that neither memory nor a library's choice of kernel counts. The
matrix product that numpy brings reaches half of it on processors that its BLAS does not know.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np

SUMS = 192  # 12 registers of 16 floats: more than an addition takes cycles, fewer than there are
ROUNDS = 2_000_000


@numba.njit(fastmath=True, nogil=True)
def _multiply_add(rounds: int, factor: np.float32, term: np.float32) -> np.float32:
    sums = np.zeros(SUMS, np.float32)
    for _ in range(rounds):
        for i in range(SUMS):
            sums[i] = sums[i] * factor + term
    return sums.sum()


def gflops(cores: int) -> float:
    """Return GFLOP/s of so many threads at once, a multiply-add being two."""
    operands = np.float32(0.999), np.float32(0.1)
    _multiply_add(1, *operands)  # compiles
    with ThreadPoolExecutor(cores) as pool:
        began = time.perf_counter()
        list(pool.map(lambda _: _multiply_add(ROUNDS, *operands), range(cores)))
        return 2 * cores * ROUNDS * SUMS / (time.perf_counter() - began) / 1e9


if __name__ == "__main__":
    print(f"{max(gflops(os.cpu_count() or 1) for _ in range(9)):.0f} GFLOP/s")
