"""An orchestrator made of parts: a speech-to-text, a language model, a text-to-speech and a prompt."""
