"""fastbp and its peers, timed alternately on the same training; `python -m benchmarks.peers --help`."""
