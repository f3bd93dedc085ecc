"""Reads metrics.jsonl: percentiles, tables and plots."""
