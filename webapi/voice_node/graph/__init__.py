"""Graph files: read into a GraphSpec, checked, drawn, and described by a JSON Schema."""
