"""The command line as a whole: what it says to a slip, and what it doesn't load."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Final

import pytest

from tests.tracker.operation.conftest import Tracker
from tracker.cli import COMMANDS, HELP
from tracker.mistake import Exit

NOBODY: Final = 65534


def printed(folder: Path, *program: str) -> str:
    """Run Python in a process of its own; return what it says."""
    command = [sys.executable, *program]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


@contextmanager
def nobody() -> Iterator[None]:
    """Give up root's leave to read everything, where it is root who tests."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(was)


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
        (
            ["events", "--limit", "0"],
            "Invalid value for '--limit': should be greater than or equal to 1;"
            " see 'tracker events --help'",
        ),
        (
            ["events", "--event", "clickd"],
            "there is no event 'clickd'; there are accepted, rejected, delivered, failed, opened,"
            " clicked, unsubscribed, complained, stored, list_member_uploaded,"
            " list_member_upload_error, list_uploaded, resubscribed",
        ),
        (
            ["audit", "--limit", "all"],
            "Invalid value for '--limit': should be a whole number; see 'tracker audit --help'",
        ),
        (
            ["store", "copy", "mysql://ann:sesame@db.example.com/x"],
            "TARGET is mysql://ann@db.example.com/x: should be a URL that begins with"
            " postgresql://, or the path of a new file",
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
        ["domains", "list"],
        ["domains", "snapshot"],
        ["domains", "sending", "example.com"],
        ["apikeys", "list"],
        ["webhooks", "list"],
        ["webhooks", "history", "example.com"],
    ],
)
def test_in_a_wrong_folder_nothing_is_told_as_if_it_were_so_and_nothing_is_made(
    tracker: Tracker, arguments: list[str]
) -> None:
    said = tracker(*arguments)
    assert (said.status, said.out) == (Exit.NO_INPUT, "")
    assert "there is no data/store.db: no back office has run there yet" in said.err
    assert not Path("data").exists()


def test_an_export_to_a_folder_that_is_not_there_names_the_folder(tracker: Tracker) -> None:
    said = tracker("export", "--output", "none/events.jsonl")
    assert said.err == "tracker: there is no folder none to write events.jsonl to\n"


def test_a_file_of_another_account_is_told_with_whose_it_is_to_use(
    tracker: Tracker, folder: Path
) -> None:
    picture = folder / "logo.png"
    picture.touch(mode=0)
    asked = ("domains", "set", "click.example.com", "--logo", str(picture))
    tracker(*asked)  # what a command imports may be another account's, too
    with nobody():
        said = tracker(*asked)
    assert said.status == Exit.NO_PERMISSION
    assert said.err == (
        f"tracker: {picture}: this account may not use it:"
        " run the command as the account that the tracker runs under\n"
    )


@pytest.mark.parametrize("name", ["check", "dns"])
def test_all_commands_of_a_group_are_in_its_help(tracker: Tracker, name: str) -> None:
    tracker("domains", "list")
    assert f" {name} " in tracker("domains", "--help").out == tracker("domains", "-h").out
    assert tracker("domains", name, "--help").status == Exit.OK


@pytest.mark.parametrize(
    ("asked", "spared"),
    [
        ("--version", {"sqlalchemy", "httpx", "pydantic"}),
        ("domains list", {"certs.doctor", "certs.acme", "dns", "httpx"}),
        ("keys list", {"sqlalchemy", "httpx"}),
        ("status", {"sqlalchemy", "httpx"}),
    ],
)
def test_nobody_waits_for_what_a_command_doesnt_use(
    folder: Path, asked: str, spared: set[str]
) -> None:
    program = (
        "import sys; from tracker.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: print(*sys.modules)"
    )
    (folder / "data").mkdir()
    loaded = printed(folder, "-c", program, *asked.split()).split()
    assert "tracker.cli" in loaded
    assert not spared & set(loaded)


def test_an_office_without_tls_and_webhooks_loads_nothing_for_them(folder: Path) -> None:
    program = "import sys, tracker.office.work; print(*sys.modules)"
    loaded = printed(folder, "-c", program).split()
    assert "tracker.office.work" in loaded
    # Nor what takes long beside that and isn't asked: a thousand patterns, and what migrates.
    unasked = {"ua_parser_builtins.regexes", "alembic"}
    assert not {"certs.acme", "certs.doctor", "httpx", *unasked} & set(loaded)


@pytest.mark.parametrize("asked", HELP)
def test_all_commands_are_in_the_help(tracker: Tracker, asked: str) -> None:
    told = tracker(asked)
    assert told.status == Exit.OK
    assert not [name for name in COMMANDS if f" {name} " not in told.out]


@pytest.mark.parametrize("command", ["tracker", "rewriter"])
def test_the_version_is_that_of_the_package(folder: Path, command: str) -> None:
    told = printed(folder, "-m", command, "--version")
    assert told == f"tracking-edge {version('tracking-edge')}\n"
