"""Everything that is served or run: the node (`voice_node`) and the client page (`static`)."""
