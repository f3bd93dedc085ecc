"""Write files without blocking the loop, and check before a run that they can be written."""
