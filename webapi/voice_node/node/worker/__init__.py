"""The command `worker`: takes the calls that LiveKit dispatches, as one of any number of such processes."""
