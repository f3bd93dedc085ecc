"""Everything about LiveKit: the connection, callers and their tracks, the bot's track, data messages, tokens."""
