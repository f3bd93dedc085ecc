"""Replays a corpus of recordings with every cell of a grid of settings, and scores what was heard."""
