"""The values that labels of metrics may have. All others become OTHER, so that the number of series is bounded.

Names of rooms, identities, ids and texts of orchestrators are never a label: they would be on a page that many can
read, and each new one would be a new series for ever.
"""

from __future__ import annotations

from webapi.voice_node.report.turn_line import OUTCOMES

OTHER = "other"

KINDS = ("standard", "sip", "connector", "bridge")  # of callers, as LiveKit names them
ENDED = ("over", "left", "hung_up", "lost", "failed", "closed")  # why a call ended
BEGUN_BY = ("caller", "bot")
TURN_OUTCOMES = OUTCOMES
BAD_REPLIES = ("failed", "timeout", "empty")  # how a stream of an orchestrator ends that did not complete
DUCKS = ("ducked", "restored", "stopped")
PARTS = (
    "endpointing",
    "node",
    "speech_to_text",
    "llm_first_token",
    "language_model",
    "text_to_speech",
    "orchestrator",
)  # of a caller's wait; an orchestrator may name others
HOOKS = (
    "on_call_started",
    "on_call_ended",
    "on_dtmf",
    "on_speech_started",
    "on_partial_audio",
    "on_speech_ended",
    "on_barge_in_detected",
    "stop_playback",
    "on_playback_ended",
    "is_interruptible",
    "play_filler",
    "call.transcript",
    "call.mark",
    "call.say",
    "call.send",
)
DROPS = ("caller_audio", "bot_audio", "reply_over")
CODES = ("orchestrator", "node", "machine", "garbage_collection")  # whose code kept the loop
PROBLEMS = (
    "edge_failed",
    "events_dropped",
    "graph_refused",
    "hanging",
    "hear_failed",
    "metrics_failed",
    "record_failed",
    "session_broke",
    "sink_failed",
    "subscribe_failed",
    "tap_failed",
)  # events of the log
LEVELS = ("warning", "error", "critical")


def known(value: object, allowed: tuple[str, ...]) -> str:
    """The value where it is an allowed one, else OTHER."""
    return value if isinstance(value, str) and value in allowed else OTHER
