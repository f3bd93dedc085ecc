"""A local LiveKit server for development: found, built, or run in Docker. It ends with the node."""
