"""An example package. The entry points in its pyproject.toml say what it adds to voice_node."""
