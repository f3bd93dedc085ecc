"""Parts that need no network and no account: recognition, a scripted dialogue, a voice. The models run in programs."""
