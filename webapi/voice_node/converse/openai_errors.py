"""The errors of the package `openai` as a PartError: what happened, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import openai

from webapi.voice_node.converse.parts import PartError
from webapi.voice_node.converse.remedies import ADDRESS, LOG, of_status, said

HTTP_LIBRARIES = ("httpx", "httpx2", "httpcore", "httpcore2")  # which one it is depends on the version of openai
BREAKS = ("ReadError", "WriteError", "RemoteProtocolError")  # their errors of a connection that was there


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
            raise PartError(label, f"the answer broke off: {said(cause)}", LOG) from error
        raise PartError(label, f"the server can't be reached: {said(cause)}", ADDRESS) from error
    except openai.APIStatusError as error:
        raise PartError(label, *of_status(error.status_code, error)) from error
    except openai.OpenAIError as error:  # an error event in the stream, or an answer that is none
        raise PartError(label, f"the answer is an error: {said(error)}", LOG) from error
    except Exception as error:
        if type(error).__module__.split(".")[0] not in HTTP_LIBRARIES:
            raise
        raise PartError(label, f"the answer broke off: {said(error)}", LOG) from error
