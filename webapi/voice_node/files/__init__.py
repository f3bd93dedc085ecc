"""Files that are written without blocking the event loop, and checks that they can be written."""
