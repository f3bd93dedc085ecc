"""Programs that are run by their path, in processes of their own."""
