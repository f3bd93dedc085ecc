"""Sends reply audio to a sink, counts what was played, and holds what is halted."""
