"""Replays recordings through a graph in virtual time; marbles, differences, batches."""
