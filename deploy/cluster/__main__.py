"""`python -m deploy.cluster`: a cluster on this machine, until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import tempfile
from pathlib import Path

from deploy.cluster.running import Running, cluster
from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError

LOOK_S = 0.5


def main() -> int:
    """Start Redis, LiveKit nodes and workers, print their addresses, and end all of them with Ctrl-C or SIGTERM."""
    options = _options().parse_args()
    try:
        asyncio.run(_serve(options))
    except UserError as error:
        _say(str(error))
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.cluster", description=main.__doc__)
    parser.add_argument("--nodes", type=int, default=2, help="how many LiveKit nodes (2)")
    parser.add_argument("--workers", type=int, default=3, help="how many workers (3)")
    parser.add_argument("--prometheus", action="store_true", help="also a Prometheus that asks all of them")
    parser.add_argument("--folder", type=Path, help="where configurations, logs and recordings are kept (a new folder)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the workers")
    return parser


def _settings(pairs: list[str]) -> dict[str, str]:
    """The settings in pairs NAME=VALUE. UserError where a name is no setting."""
    # Without a dispatch a new room would get no worker, and people want to hear one at once.
    found = {"LK_AGENT_NAME": "*"}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or name.lower() not in Settings.model_fields:
            raise UserError(f"--set {name}: not NAME=VALUE with the name of a setting; see docs/configuration.md")
        found[name.upper()] = value
    return found


async def _serve(options: argparse.Namespace) -> None:
    """Run until the first signal."""
    serving = asyncio.current_task()
    assert serving is not None  # noqa: S101 - inside asyncio.run
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="voice-node-cluster-"))
    with contextlib.suppress(asyncio.CancelledError):
        async with cluster(
            folder.resolve(),
            nodes=options.nodes,
            workers=options.workers,
            prometheus=options.prometheus,
            settings=_settings(options.set),
            say=_say,
        ) as running:
            _say(f"Everything runs. Files: {folder}. Ctrl-C ends it.")
            await _watch(running)
    _say("Everything has ended.")


async def _watch(running: Running) -> None:
    """Say which program ends by itself."""
    told: set[str] = set()
    while True:
        for program in running.programs:
            if not program.running and program.name not in told:
                told.add(program.name)
                _say(f"{program.name} has ended.\n{program.last_words()}")
        await asyncio.sleep(LOOK_S)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
