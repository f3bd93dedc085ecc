"""The decisions about the caller (turns, levels, echo) and the two models that they need."""
