"""The errors of the package `openai` as a PartError: what happened, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import openai

from webapi.voice_node.converse.parts import PartError

HTTP_LIBRARIES = ("httpx", "httpx2", "httpcore", "httpcore2")  # which one it is depends on the version of openai
BREAKS = ("ReadError", "WriteError", "RemoteProtocolError")  # their errors of a connection that was there
MOST_SAID = 200  # characters of what a server says

REFUSED, FORBIDDEN, NOT_FOUND, TOO_MANY, SERVER = 401, 403, 404, 429, 500

KEY = "Give the right key: api_key of the part, from a variable such as ${OPENAI_API_KEY}"
ADDRESS = "Start the server, or correct base_url of the part"
MODEL = "Correct model or base_url of the part; for a server of your own, load the model there"
QUOTA = "Wait, or raise the account's limits at the provider"
LOG = "Look into the server's log, or wait where it is a provider's"
ARGUMENTS = "Correct the part's arguments"


@contextmanager
def explained(label: str) -> Iterator[None]:
    """What the client raises inside becomes a PartError of the part `label`. Keys are never quoted."""
    try:
        yield
    except openai.APITimeoutError as error:
        raise PartError(label, "the server did not answer in time", LOG) from error
    except openai.APIConnectionError as error:
        cause = error.__cause__ or error
        if type(cause).__name__ in BREAKS:
            raise PartError(label, f"the answer broke off: {_said(cause)}", LOG) from error
        raise PartError(label, f"the server can't be reached: {_said(cause)}", ADDRESS) from error
    except openai.APIStatusError as error:
        raise PartError(label, *_status(error)) from error
    except openai.OpenAIError as error:  # an error event in the stream, or an answer that is none
        raise PartError(label, f"the answer is an error: {_said(error)}", LOG) from error
    except Exception as error:
        if type(error).__module__.split(".")[0] not in HTTP_LIBRARIES:
            raise
        raise PartError(label, f"the answer broke off: {_said(error)}", LOG) from error


def _status(error: openai.APIStatusError) -> tuple[str, str]:
    """What a status says, and the remedy."""
    status = error.status_code
    if status in (REFUSED, FORBIDDEN):
        return f"the key was refused ({status})", KEY
    if status == NOT_FOUND:
        return f"the server has no such model or no such address ({_said(error)})", MODEL
    if status == TOO_MANY:
        return f"too many requests, or the quota is used up ({_said(error)})", QUOTA
    if status >= SERVER:
        return f"the server failed ({_said(error)})", LOG
    return f"the request was refused ({_said(error)})", ARGUMENTS


def _said(error: BaseException) -> str:
    """What it says, in one line of bounded length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= MOST_SAID else f"{text[: MOST_SAID - 1]}…"
