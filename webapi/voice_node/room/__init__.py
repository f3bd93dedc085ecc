"""Everything that talks to LiveKit: the connection, callers and their tracks, the bot's track, messages, tokens."""
