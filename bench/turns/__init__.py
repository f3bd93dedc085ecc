"""The end of a turn: labelled pauses, and what each rule would have done at them. `python -m bench.turns --help`."""
