"""What `voice-node run` puts together: server, page, log, metrics, and a session for each caller."""
