"""Checks of what the node is made of: graph, orchestrator, VAD, and the files that it writes."""

from __future__ import annotations

from webapi.voice_node.cli.doctor.result import CheckResult
from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.files.preflight import check_writable
from webapi.voice_node.graph.check import make_orchestrators, orchestrators_of
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.orchestrator import load_orchestrator
from webapi.voice_node.vad import VoiceActivityDetector, available_backends, check_backend


def check_graph(settings: Settings) -> CheckResult:
    """The graph loads."""
    try:
        graph = load_graph(settings.voice_graph, settings)
    except UserError as error:
        advice = f"This machine needs {' and '.join(error.needs)}" if error.needs else "Mend it"
        return CheckResult("graph", "fail", str(error), f"{advice}, or choose another: voice-node graphs list")
    return CheckResult("graph", "ok", f"{graph.name} ({graph.path})")


def check_orchestrator(settings: Settings) -> CheckResult:
    """The orchestrators of the graph can be made, each with what the graph gives it, and that of the settings too."""
    try:
        graph = load_graph(settings.voice_graph, settings)
    except UserError:
        graph = None  # check_graph says why
    names = orchestrators_of(graph) if graph else []
    try:
        if graph:
            make_orchestrators(graph, settings)
        if settings.orchestrator not in names:
            load_orchestrator(settings.orchestrator, settings)
    except UserError as error:
        return CheckResult("orchestrator", "fail", str(error), "Mend it, or set ORCHESTRATOR=mock")
    return CheckResult("orchestrator", "ok", ", ".join(names) or settings.orchestrator)


def check_vad(settings: Settings) -> CheckResult:
    """The VAD backend can be made. The result names the others that can."""
    there = [name for name, why_not in available_backends().items() if not why_not]
    rate, frame_ms = settings.audio_target_rate, settings.audio_frame_ms
    try:
        check_backend(settings.vad_backend, rate, frame_ms)
        detector = VoiceActivityDetector(settings.vad_backend, rate=rate, frame_ms=frame_ms)
    except (UserError, ValueError) as error:
        others = ", ".join(name for name in there if name != settings.vad_backend)
        return CheckResult("VAD", "fail", str(error), f"Set VAD_BACKEND to one of: {others}")
    if detector.fallback:
        return CheckResult("VAD", "ok", f"{detector.backend}, because {detector.fallback.partition(';')[0]}")
    return CheckResult("VAD", "ok", f"{settings.vad_backend} (there are: {', '.join(there)})")


def check_files(settings: Settings) -> CheckResult:
    """Log and metrics can be written."""
    try:
        check_writable(settings)
    except UserError as error:
        return CheckResult("files", "fail", str(error), "Choose other paths, or allow writing.")
    return CheckResult("files", "ok", f"log: {settings.log_file or 'off'}, metrics: {settings.metrics_file or 'off'}")
