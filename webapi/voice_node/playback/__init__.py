"""Push reply audio to a sink, count what was played, and hold what is halted."""
