"""The checks of `voice-node doctor`: one function for each thing that the node needs."""
