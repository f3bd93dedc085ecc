"""A corpus of recordings over a grid of settings, scored."""
