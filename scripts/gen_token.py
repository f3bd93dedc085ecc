"""Print a token that lets a caller into one room, and nowhere else:

python scripts/gen_token.py --room demo --identity me --api-key devkey --api-secret secret

The key and its secret are the server's; without them it is LIVEKIT_API_KEY and LIVEKIT_API_SECRET of the environment
or of .env. As for the node, the development key is refused where the server (--url, LIVEKIT_URL) is not on loopback.
(`voice-node token --identity me` does the same. A secret on a command line is seen by all users of a machine: for real
ones, use the environment.)
"""

from __future__ import annotations

import argparse
import sys
from datetime import timedelta

from webapi.voice_node.config import load_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.room.tokens import mint


def main() -> int:
    """Print the token. Returns the exit code: 0, or 2, with the reason on stderr, where it can't be made."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--room", help="the room (LK_ROOM)")
    options.add_argument(
        "--identity", required=True, help="who joins with it; a second one with that name ends the first"
    )
    options.add_argument("--url", help="the server that the token is for (LIVEKIT_URL)")
    options.add_argument("--api-key", help="the server's key (LIVEKIT_API_KEY)")
    options.add_argument("--api-secret", help="the secret of that key (LIVEKIT_API_SECRET)")
    options.add_argument("--minutes", type=float, default=60, help="how long one can join with it (60)")
    given = options.parse_args()
    if not 0 < given.minutes <= 24 * 60:
        options.error("--minutes: more than 0, up to 1440")
    try:
        settings = load_settings(
            livekit_url=given.url,
            livekit_api_key=given.api_key,
            livekit_api_secret=given.api_secret,
            lk_room=given.room,
        )
        print(mint(settings, given.identity, settings.lk_room, ttl=timedelta(minutes=given.minutes)))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
