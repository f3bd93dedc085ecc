"""What is needed to run the node in production."""
