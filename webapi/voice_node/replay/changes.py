"""What is changed in a replay that is compared with the recording: graph, settings, orchestrator, pace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from webapi.voice_node.clock.replay_loops import Pace
from webapi.voice_node.config import load_settings, shown, with_hidden_secrets
from webapi.voice_node.graph.settings_used import settings_of_orchestrators, settings_used
from webapi.voice_node.graph.spec import GraphSpec

LIVE_TOLERANCE_S = 0.05  # an orchestrator that is asked again never answers in the same millisecond; nor is real time


@dataclass(frozen=True)
class ReplayChanges:
    """Another graph, other settings (by attribute), the orchestrator asked again. False where nothing is changed."""

    graph: str | None = None  # its name or path
    settings: Mapping[str, object] = field(default_factory=dict)
    live: bool = False  # of a recorded call: the orchestrator is asked again
    pace: Pace = "virtual"

    @property
    def tolerance_s(self) -> float:
        """How far two times may differ and still count as the same."""
        return LIVE_TOLERANCE_S if self.live or self.pace == "real" else 0.0

    def without_effect(self, graph: GraphSpec, *, asked: bool) -> list[str]:
        """Return a line for each setting that makes no difference in `graph`.

        `asked`: the replies come from an orchestrator, and not from the recording.
        """
        names = [name.upper() for name in self.settings]
        used = settings_used(graph)
        unused = [f"the graph {graph.name} does not use {name}" for name in names if name not in used]
        unheard = [
            f"{name} changes nothing where the recording answers; --orchestrator live asks again"
            for name in names
            if name in used & settings_of_orchestrators(graph) and not asked
        ]
        return unused + unheard

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", with_hidden_secrets(self.settings))

    def __bool__(self) -> bool:
        return bool(self.graph or self.settings or self.live)

    def __str__(self) -> str:
        graph = [f"graph {self.graph}"] if self.graph else []
        settings = [f"{name.upper()}={shown(value)}" for name, value in self.settings.items()]
        return ", ".join([*graph, *settings, *(["the orchestrator asked again"] if self.live else [])])


NO_CHANGES = ReplayChanges()


def checked_settings(settings: Mapping[str, object]) -> dict[str, Any]:
    """Return the values of some settings with their types. Raises UserError for a value that is not allowed."""
    loaded = load_settings(None, **settings)
    return {name: getattr(loaded, name) for name in settings}
