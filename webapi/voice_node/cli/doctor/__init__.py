"""`voice-node doctor`: checks everything that the node needs, and says what to do about each failure."""
