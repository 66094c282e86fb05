"""A person at the `tracker` command, in a folder of their own."""

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tracker.cli import main

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said, and how it left."""

    status: int
    out: str
    err: str


Tracker = Callable[..., Said]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the person is; no settings of the machine leak in."""
    for name in list(os.environ):
        if name.startswith("TRACKER_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def own_process() -> Iterator[None]:
    """Undo what a command does to the process that is its own."""
    handlers = logging.root.handlers[:]
    mask = os.umask(0o077)
    os.umask(mask)
    yield
    os.umask(mask)
    logging.root.handlers[:] = handlers


@pytest.fixture
def tracker(
    folder: Path,
    own_process: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Tracker:
    """Run a command line in this process, exactly as the installed command does.

    But it waits for a busy machine's answers for as long as a test does.
    """
    monkeypatch.setattr("tracker.client.ANSWER_WITHIN", PATIENCE)
    monkeypatch.setattr("tracker.commands.status.ANSWER_WITHIN", PATIENCE)

    def run(*arguments: str) -> Said:
        with pytest.raises(SystemExit) as leaving:
            main(arguments)
        captured = capsys.readouterr()
        code = leaving.value.code
        return Said(code if isinstance(code, int) else 0, captured.out, captured.err)

    return run
