"""Pure decisions about the caller: who talks, how loud, and what is echo."""
