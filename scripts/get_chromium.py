"""Gets a Chromium for the tests where PATH has none: Debian's package, else playwright's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")  # as in tests/e2e/browser.py


def main() -> int:
    """Returns the exit code: 0 where there is a Chromium now."""
    if any(shutil.which(name) for name in NAMES):
        return 0
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-yq", "--no-install-recommends", "chromium"]
        for command in (["apt-get", "update", "-q"], install):
            if subprocess.run(command, env=environment, check=False).returncode:  # noqa: S603 - the words are fixed
                break
        else:
            return 0
    return subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
