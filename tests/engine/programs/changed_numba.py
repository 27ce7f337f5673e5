"""Take a name out of Numba, as a later release may do, and do what `cached.py` does with the other arguments.

Usage: changed_numba.py MODULE:NAME [product DTYPE] [training DTYPE]
"""

import importlib
import operator
import sys

import cached

module, _, name = sys.argv[1].partition(":")
*owner, attribute = name.split(".")
holder = importlib.import_module(module)
delattr(operator.attrgetter(".".join(owner))(holder) if owner else holder, attribute)
cached.main(*sys.argv[2:])
