"""Sends spans to where OpenTelemetry's standard variables (OTEL_…) say. Without an endpoint there are no traces."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from webapi.voice_node.errors import UserError
from webapi.voice_node.errors.advice import can_import, install

if TYPE_CHECKING:
    from webapi.voice_node.node.traces.call_trace import Traces

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
HTTP = "http/protobuf"


def open_traces(node: str) -> Traces | None:
    """What makes the traces of this process; None where the environment names no endpoint. `node`: see node_name.

    Raises UserError where there is an endpoint, and the extra `traces` is not installed or the protocol is not HTTP.
    """
    named = next((name for name in ENDPOINTS if os.environ.get(name)), None)
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if named is None or off or os.environ.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
        return None
    for name in PROTOCOLS:
        if os.environ.get(name, HTTP) != HTTP:
            raise UserError(f"{name}={os.environ[name]}: the node sends traces by HTTP only; allowed: {HTTP}")
    if not can_import("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"):
        raise UserError(f"{named} is set, and the packages for traces are not installed: {install('traces')}")

    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    from webapi.voice_node.node.traces.call_trace import Traces

    # The processor exports in a thread of its own. Its queue is bounded, and what does not fit is dropped.
    return Traces(BatchSpanProcessor(OTLPSpanExporter()), node)
