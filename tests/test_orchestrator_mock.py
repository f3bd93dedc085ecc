"""The mock has the name that its module says, and a second one."""

from __future__ import annotations

from webapi.voice_node.config import load_settings
from webapi.voice_node.orchestrator import find_orchestrator, load_orchestrator
from webapi.voice_node.orchestrator_mock import MockOrchestrator, OrchestratorMock


def test_both_names_are_one_class() -> None:
    assert OrchestratorMock is MockOrchestrator is find_orchestrator("mock")
    by_path = find_orchestrator("webapi.voice_node.orchestrator_mock:OrchestratorMock")
    assert by_path is OrchestratorMock
    assert isinstance(load_orchestrator("mock", load_settings(None)), OrchestratorMock)
