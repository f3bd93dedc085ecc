"""Asks every query of the dashboard of a real Prometheus, and draws what it answers: `python -m bench.dashboard`.

Prometheus is Debian's package `prometheus`. It is started here, with the rules of deploy/monitoring, and scrapes two
nodes that are busy with calls (monitored_node.py), or those that --target names. The exit code is 1 where a query is
refused, or has no answer although it should have one.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from bench.dashboard_picture import Answer, draw
from webapi.voice_node.dev_server.process import free_port

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "deploy" / "monitoring"
STEP_S = 2
RATE_S = 20  # what Grafana would put in the place of $__rate_interval, for such short times
START_S = 30.0
NODES = ((1, 3), (2, 2))  # number and calls of each
MAY_BE_EMPTY = (" > 0",)  # a query that leaves out what did not happen


def main() -> int:
    """Run the bench. Returns the exit code."""
    options = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    options.add_argument("--seconds", type=float, default=120.0, help="how long is scraped (default 120)")
    options.add_argument(
        "--target", action="append", help="HOST:PORT of a worker's monitor, in place of nodes of its own"
    )
    options.add_argument("--out", type=Path, default=ROOT / "bench" / "out", help="folder of dashboard.png")
    given = options.parse_args()
    for program in ("prometheus", "promtool"):
        if shutil.which(program) is None:
            print(f"{program} is missing. On Debian: apt-get install --no-install-recommends prometheus")
            return 1
    check()
    with ExitStack() as ending:
        targets = given.target or [ending.enter_context(node(*each)) for each in NODES]
        url = ending.enter_context(prometheus(targets))
        print(f"Prometheus scrapes {', '.join(targets)} for {given.seconds:.0f} s", flush=True)
        began_s = time.time()
        time.sleep(given.seconds)
        dashboard = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
        answers = ask_all(dashboard, url, began_s, time.time())
        wrong = [f"{a.title}: no answer to {a.expression}" for a in answers if not a.series and a.must_answer]
        wrong += [f"rule {name}: {health}" for name, health in rules(url) if health != "ok"]
    given.out.mkdir(parents=True, exist_ok=True)
    path = draw(dashboard, answers, given.out / "dashboard.png")
    print(f"{len(answers)} queries, {sum(bool(a.series) for a in answers)} with an answer; wrote {path}")
    for line in wrong:
        print(line)
    return 1 if wrong else 0


def check() -> None:
    """Let promtool read configuration and rules, and run the histories of alerts_test.yml. CalledProcessError."""
    for words in (
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts_test.yml"),
    ):
        subprocess.run(["promtool", *words], cwd=FOLDER, check=True)


@contextmanager
def node(number: int, calls: int) -> Iterator[str]:
    """A node in a process of its own; gives HOST:PORT of its monitor."""
    words = [sys.executable, "-m", "bench.monitored_node", str(number), str(calls)]
    process = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip().removeprefix("http://")
    finally:
        process.stdin.close()
        process.wait(START_S)


@contextmanager
def prometheus(targets: list[str]) -> Iterator[str]:
    """A Prometheus that scrapes the targets every second, in a process of its own; gives its URL."""
    port = free_port("tcp", 0)
    with tempfile.TemporaryDirectory() as folder:
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "5s"},
            "rule_files": [str(FOLDER / "alerts.yml")],
            "scrape_configs": [{"job_name": "voice-node", "static_configs": [{"targets": targets}]}],
        }
        (Path(folder) / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
        words = [
            "prometheus",
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ]
        process = subprocess.Popen(words)
        try:
            url, end_s = f"http://127.0.0.1:{port}", time.monotonic() + START_S
            while not is_ready(url):
                if time.monotonic() > end_s or process.poll() is not None:
                    raise RuntimeError("Prometheus did not start")
                time.sleep(0.1)
            yield url
        finally:
            process.terminate()
            process.wait(START_S)


def is_ready(url: str) -> bool:
    """Whether it answers yet."""
    try:
        with urlopen(f"{url}/-/ready", timeout=2) as answer:  # noqa: S310 - http, to what was started here
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def ask_all(dashboard: dict[str, Any], url: str, from_s: float, to_s: float) -> list[Answer]:
    """The answers to every query of every panel, as Grafana would ask for them."""
    answers = []
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            expression = target["expr"].replace("$__rate_interval", f"{RATE_S}s")
            expression = expression.replace("$job", "voice-node").replace("$instance", ".*")
            if target["instant"]:
                found = ask(url, "query", query=expression, time=to_s)
                series = [(each["metric"], [each["value"]]) for each in found]
            else:
                found = ask(url, "query_range", query=expression, start=from_s, end=to_s, step=STEP_S)
                series = [(each["metric"], each["values"]) for each in found]
            must_answer = not expression.endswith(MAY_BE_EMPTY)
            answers.append(Answer(panel["id"], panel["title"], expression, target["legendFormat"], must_answer, series))
    return answers


def rules(url: str) -> list[tuple[str, str]]:
    """The alerts, and whether Prometheus could compute each."""
    with urlopen(f"{url}/api/v1/rules", timeout=10) as answer:  # noqa: S310 - http, to what was started here
        groups = json.load(answer)["data"]["groups"]
    return [(rule["name"], rule["health"]) for group in groups for rule in group["rules"]]


def ask(url: str, how: str, **question: Any) -> list[dict[str, Any]]:
    """The series that answer a query. RuntimeError where it is refused."""
    try:
        with urlopen(f"{url}/api/v1/{how}?{urlencode(question)}", timeout=30) as answer:  # noqa: S310 - http, to what was started here
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    except HTTPError as error:
        raise RuntimeError(f"{question['query']}: {error.read().decode()}") from None
    return found


if __name__ == "__main__":
    sys.exit(main())
