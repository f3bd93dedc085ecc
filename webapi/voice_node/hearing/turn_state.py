"""What the turn reducer remembers between two frames."""

from __future__ import annotations

from typing import NamedTuple

from webapi.voice_node.hearing.endpoint import Endpoint
from webapi.voice_node.hearing.interruption import PendingReply
from webapi.voice_node.hearing.loudness import Loudness
from webapi.voice_node.hearing.onset import NO_RUN, Onset
from webapi.voice_node.hearing.prompts import Silence
from webapi.voice_node.hearing.requests import Request
from webapi.voice_node.hearing.utterance import Utterance


class TurnState(NamedTuple):
    """The state of each part, and the turns so far."""

    onset: Onset = NO_RUN
    endpoint: Endpoint = Endpoint()
    utterance: Utterance | None = None  # what the caller is saying
    reply: PendingReply | None = None
    silence: Silence = Silence()
    turns: int = 0  # turns so far
    heard_from: int = 0  # the first frame since the audio last stopped
    requests: tuple[Request, ...] = ()  # of the orchestrator, that wait
    loudness: Loudness = Loudness()  # of the caller
