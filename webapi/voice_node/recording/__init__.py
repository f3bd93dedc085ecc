"""A call on disk, and how long it is kept."""
