"""A graph file: read, checked, drawn, and described as a JSON Schema."""
