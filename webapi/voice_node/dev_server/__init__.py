"""Find, build or run in Docker a local LiveKit server that ends with the node."""
