"""How well turns are heard in noise: a labelled corpus, and rules held against it. `python -m bench.hearing --help`."""
