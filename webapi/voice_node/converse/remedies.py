"""What a server's answer means for a user, and what to do: shared by the parts that speak HTTP."""

from __future__ import annotations

from webapi.voice_node.errors.plain_text import shortened

MOST_SAID = 200  # characters of what a server says

REFUSED, FORBIDDEN, NOT_FOUND, TOO_MANY, SERVER = 401, 403, 404, 429, 500

KEY = "Give the right key: api_key of the part, from a variable such as ${OPENAI_API_KEY}"
ADDRESS = "Start the server, or correct base_url of the part"
MODEL = "Correct model or base_url of the part; for a server of your own, load the model there"
QUOTA = "Wait, or raise the account's limits at the provider"
LOG = "Look into the server's log, or wait where it is a provider's"
ARGUMENTS = "Correct the part's arguments"


def of_status(status: int, says: BaseException | str) -> tuple[str, str]:
    """What an HTTP status that is an error says, and the remedy. What a server says of a key is never quoted."""
    if status in (REFUSED, FORBIDDEN):
        return f"the key was refused ({status})", KEY
    if status == NOT_FOUND:
        return f"the server has no such model or no such address ({said(says)})", MODEL
    if status == TOO_MANY:
        return f"too many requests, or the quota is used up ({said(says)})", QUOTA
    if status >= SERVER:
        return f"the server failed ({said(says)})", LOG
    return f"the request was refused ({said(says)})", ARGUMENTS


def said(error: BaseException | str) -> str:
    """What it says, in one line of bounded length."""
    return shortened(" ".join(str(error).split()) or type(error).__name__, MOST_SAID)
