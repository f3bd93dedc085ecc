"""A local LiveKit server for development: found, built or run in Docker; it ends with the node."""
