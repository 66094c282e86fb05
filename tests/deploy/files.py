"""What `deploy/` holds, as its tests see it: files, and the programs that judge them."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy"
CLUSTER: Final = DEPLOY / "cluster"
SYSTEMD: Final = DEPLOY / "systemd"
BY_OTHERS: Final = ("demo", "secrets")  # a mail, and what an operator puts there
TEXTS: Final = sorted(
    file
    for file in DEPLOY.rglob("*")
    if file.is_file() and not set(BY_OTHERS) & set(file.relative_to(DEPLOY).parts)
)
MANIFESTS: Final = sorted((CLUSTER / "kubernetes").glob("*.yaml"))


def named(file: Path) -> str:
    """Name a file as a test's id."""
    return str(file.relative_to(DEPLOY))


def documents(file: Path) -> list[dict[str, Any]]:
    """Read a file's YAML documents."""
    return [dict(one) for one in yaml.safe_load_all(file.read_text()) if one]


def pods(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the pod of what makes pods."""
    if "template" in document.get("spec", {}):
        yield document["spec"]["template"]["spec"]


def containers() -> Iterator[tuple[str, dict[str, Any]]]:
    """Give each container of the manifests, with the file that it is in."""
    for file in MANIFESTS:
        for document in documents(file):
            for pod in pods(document):
                yield from ((named(file), one) for one in pod["containers"])


def program(name: str, package: str) -> str:
    """Return where a program is, or skip."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"deploy/ IS UNTESTED WITH {name}: {package} brings it")
    return found
