"""Loads what the first call would otherwise wait for."""

from __future__ import annotations

from importlib import import_module

from livekit.rtc._ffi_client import FfiClient

from webapi.voice_node.config import Settings
from webapi.voice_node.graph.settings_used import vad_backends
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.room.native_log import keep_native_log_out
from webapi.voice_node.vad import VoiceActivityDetector

IMPORTED_LATE = ("webapi.voice_node.hearing.echo_canceller", "livekit.rtc.apm")


def warm_up(graph: GraphSpec, settings: Settings) -> None:
    """Load LiveKit's native library, the modules that are imported late, and the models of the graph's detectors."""
    keep_native_log_out()
    _ = FfiClient.instance
    for name in IMPORTED_LATE:
        import_module(name)
    for backend in vad_backends(graph):
        VoiceActivityDetector(backend, rate=settings.audio_target_rate, frame_ms=settings.audio_frame_ms)
