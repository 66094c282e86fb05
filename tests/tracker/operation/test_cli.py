"""The command line as a whole: what it says to a slip, and what it doesn't load."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.tracker.operation.conftest import Tracker
from tracker.mistake import Exit


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nonsense"], "No such command 'nonsense'; see 'tracker --help'"),
        (["domains", "nonsense"], "No such command 'nonsense'; see 'tracker domains --help'"),
        (["keys", "export"], "Missing option '--domain'; see 'tracker keys export --help'"),
        (
            ["export", "--format", "xml"],
            "Invalid value for '--format': 'xml' is not one of 'jsonl', 'csv', 'parquet';"
            " see 'tracker export --help'",
        ),
    ],
)
def test_a_slip_is_told_with_where_to_read_on(
    tracker: Tracker, arguments: list[str], sentence: str
) -> None:
    said = tracker(*arguments)
    assert (said.status, said.out, said.err) == (Exit.USAGE, "", f"tracker: {sentence}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["suppressed", "ann@example.com", "--domain", "example.com"],
        ["export"],
        ["audit"],
    ],
)
def test_in_a_wrong_folder_nobody_is_said_to_be_free_to_write_to(
    tracker: Tracker, arguments: list[str]
) -> None:
    said = tracker(*arguments)
    assert (said.status, said.out) == (Exit.NO_INPUT, "")
    assert "there is no data/store.db: no back office has run there yet" in said.err
    assert not Path("data").exists()


def test_an_export_to_a_folder_that_is_not_there_names_the_folder(tracker: Tracker) -> None:
    said = tracker("export", "--output", "none/events.jsonl")
    assert said.err == "tracker: there is no folder none to write events.jsonl to\n"


@pytest.mark.parametrize("name", ["check", "dns"])
def test_all_commands_of_a_group_are_in_its_help(tracker: Tracker, name: str) -> None:
    tracker("domains", "list")
    assert f" {name} " in tracker("domains", "--help").out
    assert tracker("domains", name, "--help").status == Exit.OK


def test_the_register_is_shown_without_loading_what_examines_domains(folder: Path) -> None:
    asked = (
        "import sys; from tracker.cli import main\n"
        "try: main(['domains', 'list'])\n"
        "except SystemExit: print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=folder, capture_output=True, text=True, check=True
    )
    loaded = done.stdout.split()
    assert "tracker.commands.domains" in loaded
    assert not {"certs.doctor", "certs.acme", "dns", "httpx"} & set(loaded)
