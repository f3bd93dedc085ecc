"""A real Chromium for tests, with a new profile and a WAV as its microphone."""

from __future__ import annotations

import math
import shutil
import wave
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from playwright.async_api import Browser, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ALLOWED = ("--use-fake-ui-for-media-stream",)  # the microphone is granted without a question
NO_NETWORK = ("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",)


def microphone(wav: Path, *, loop: bool = True) -> tuple[str, ...]:
    """The flags with which `wav` is Chromium's microphone."""
    end = "" if loop else "%noloop"
    return ("--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={wav}{end}")


def write_hum(path: Path, seconds: float = 2.0) -> Path:
    """Write a WAV of a steady low tone: 48 kHz mono, loud enough for every level meter."""
    samples = 0.4 * 32767 * np.sin(np.arange(int(48_000 * seconds)) / 48_000 * 2 * math.pi * 200)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


@asynccontextmanager
async def chromium(flags: Sequence[str] = ()) -> AsyncIterator[Browser]:
    """A headless Chromium with a new profile: the one on PATH, else playwright's own."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=[*QUIET, *flags])
        try:
            yield browser
        finally:
            await browser.close()
