"""The tests' voice is synthetic (speech.py): webrtc takes it for a voice, Silero rightly does not."""

from __future__ import annotations

import os

os.environ["VAD_BACKEND"] = "webrtc"  # here and in every process that tests start, whatever is installed
