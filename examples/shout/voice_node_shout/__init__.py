"""What this package adds stands in its pyproject.toml."""
