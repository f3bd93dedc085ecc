"""The tests' voice is synthetic (speech.py): webrtc takes it for a voice, Silero rightly does not."""

from __future__ import annotations

import os

from hypothesis import settings

os.environ["VAD_BACKEND"] = "webrtc"  # here and in every process that tests start, whatever is installed

settings.register_profile("patient", deadline=None)  # a machine that stalls is no failure
settings.load_profile("patient")
