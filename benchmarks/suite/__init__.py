"""The benchmarks that airspeed velocity runs on commits. See benchmarks/dashboard.md.

asv imports this folder by itself, as `suite`, in an environment into which one commit has been installed. So modules
import each other relatively, `benchmarks` by the path that is added here, and of fastbp what all commits have.
"""

import os
import sys
from pathlib import Path

from threadpoolctl import threadpool_limits

# Set through the environment by asv.conf.json; 1 by default. Libraries read their own variables once, on import.
THREADS = int(os.environ.setdefault("FASTBP_NUM_THREADS", "1"))
os.environ |= dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(THREADS))
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-THREADS:])
# asv's runner has already imported NumPy. With one OpenBLAS thread for every CPU of the machine but only one CPU
# allowed, NumPy's products took 4 ms instead of 0.2.
threadpool_limits(THREADS)

# Set in all rounds of a comparison after the first.
CHECKED = "FASTBP_BENCHMARKS_CHECKED" in os.environ

sys.path.insert(0, str(Path(__file__).parents[2]))
