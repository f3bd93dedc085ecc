"""Recorded calls: written during a call, read for a replay, and removed when they are old."""
