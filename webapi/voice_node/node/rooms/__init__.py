"""One process for many rooms: joins each room whose name matches as it opens, and leaves it as it ends."""
