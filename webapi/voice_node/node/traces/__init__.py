"""OpenTelemetry traces: a trace for each call, a span for each turn, and its parts as children.

`open_traces` in setup.py is imported without the extra `traces`; the other modules need it.
"""
