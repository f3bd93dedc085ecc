"""The commands of `voice-node`: each reads its options, prints its result and returns an exit code."""
