"""What is seen of the node from outside: metrics for Prometheus, and its health.

Import from here only where that is wanted: without prometheus-client (the extra `monitor`) the import raises UserError.
"""

from __future__ import annotations

from webapi.voice_node.errors import UserError
from webapi.voice_node.errors.advice import can_import, install

if not can_import("prometheus_client"):
    raise UserError(f"Metrics are made with prometheus-client, which is not installed: {install('monitor')}")
