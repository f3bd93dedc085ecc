"""The commands: each prints its result and returns an exit code."""
