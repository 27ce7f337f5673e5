"""What airspeed velocity measures on every commit. See benchmarks/dashboard.md.

asv imports this folder by itself, as `suite`, in an environment into which one commit has been installed. So modules
import each other relatively, `benchmarks` by the path that is added here, and of fastbp what all commits have.
"""

import os
import sys
from pathlib import Path

from threadpoolctl import threadpool_limits

# Asked of the environment by asv.conf.json; one unless asked. Libraries read theirs once, when they are imported.
THREADS = int(os.environ.setdefault("FASTBP_NUM_THREADS", "1"))
os.environ |= dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(THREADS))
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-THREADS:])
# asv's runner has imported NumPy by now. With a thread of OpenBLAS for every CPU of the machine on one CPU, products
# of NumPy took 4 ms instead of 0.2.
threadpool_limits(THREADS)

# Rounds of a comparison after the first say so.
CHECKED = "FASTBP_BENCHMARKS_CHECKED" in os.environ

sys.path.insert(0, str(Path(__file__).parents[2]))
