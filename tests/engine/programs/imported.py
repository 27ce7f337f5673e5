"""Import the estimators, and say whether the collector works and how many threads there are."""

import gc
import threading

from fastbp import MLPClassifier

assert MLPClassifier.__module__.startswith("fastbp.")
print(gc.isenabled(), threading.active_count())
