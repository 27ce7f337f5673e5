"""fastbp and its peers, alternately, on the same training; `python -m benchmarks.peers --help`."""
