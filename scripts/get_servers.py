"""Gets the servers that the tests of a cluster start, where PATH has none: redis-server and prometheus, from Debian."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

SERVERS = ("redis-server", "prometheus")  # the programs, and the names of their packages


def main() -> int:
    """Returns the exit code: 0 where all are there now, and where there is no Linux (the tests are skipped then)."""
    missing = [name for name in SERVERS if shutil.which(name) is None]
    if not missing or sys.platform != "linux":
        return 0
    if shutil.which("apt-get") and os.geteuid() == 0:
        # RUNLEVEL: Debian does not start the services then. The tests start the programs themselves.
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        install = ["apt-get", "install", "-yq", "--no-install-recommends", *missing]
        for command in (["apt-get", "update", "-q"], install):
            if subprocess.run(command, env=environment, check=False).returncode:  # noqa: S603 - the words are fixed
                break
        else:
            return 0
    sys.stderr.write(
        f"The tests of a cluster start {' and '.join(missing)}, and PATH has none.\n"
        f"On Debian and Ubuntu: sudo apt-get install {' '.join(missing)}\n"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
