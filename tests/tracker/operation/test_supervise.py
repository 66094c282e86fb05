"""The process tree, with real processes: they tell on a shared pipe what happens to them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.patience import PATIENCE
from tracker.mistake import Exit

EDGE = {"name": "edge"}
OFFICE = {"name": "office"}


class Tree:
    """A supervisor and its children. The pipe ends when the last of them is gone."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def hears(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def up(self, count: int = 1) -> dict[str, int]:
        """Wait until that many children are up; return their process ids."""
        words = [self.hears().split() for _ in range(count)]
        assert all(word[1] == "up" for word in words)
        return {name: int(pid) for name, _, pid in words}

    def rest(self) -> list[str]:
        """Wait until every process is gone; return what was said until then."""
        assert self.process.stdout is not None
        return self.process.stdout.read().splitlines()

    def logged(self) -> dict[str, Any]:
        assert self.process.stderr is not None
        line: dict[str, Any] = json.loads(self.process.stderr.readline())
        return line

    def logged_until_the_end(self) -> list[tuple[str, Any]]:
        """Wait until the supervisor is gone; return its events with whom they were about."""
        assert self.process.stderr is not None
        lines = map(json.loads, self.process.stderr)
        return [(line["event"], line.get("child", line.get("children"))) for line in lines]


@contextmanager
def tree(
    *stages: list[dict[str, Any]], drain_within: float = PATIENCE, inherits: tuple[int, ...] = ()
) -> Iterator[Tree]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.tracker.operation.tree", json.dumps([stages, drain_within])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=inherits,
    )
    with process:
        try:
            yield Tree(process)
        finally:
            process.kill()


@pytest.fixture
def gate() -> Iterator[tuple[int, int]]:
    """Make a pipe: the child that holds its first end drains once the second is written to."""
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_the_edge_first_and_the_office_after_it(
    number: int, gate: tuple[int, int]
) -> None:
    edge = EDGE | {"gate": gate[0]}
    with tree([edge], [OFFICE], inherits=gate[:1]) as running:
        children = running.up(2)
        running.process.send_signal(number)
        assert running.hears() == "edge draining"
        os.kill(children["office"], signal.SIGUSR1)
        assert running.hears() == "office works"
        os.write(gate[1], b".")
        assert running.rest() == ["edge drained", "office drained"]
        assert running.process.wait() == 0


def test_a_second_signal_ends_everything_at_once(gate: tuple[int, int]) -> None:
    with tree([EDGE | {"gate": gate[0]}], [OFFICE], inherits=gate[:1]) as running:
        running.up(2)
        running.process.terminate()
        assert running.hears() == "edge draining"
        running.process.terminate()
        assert running.rest() == []
        assert running.process.wait() == 128 + signal.SIGTERM


def test_a_child_that_does_not_finish_in_time_is_killed() -> None:
    with tree([EDGE | {"stubborn": True}], [OFFICE], drain_within=0.1) as running:
        running.up(2)
        running.process.terminate()
        logged = running.logged_until_the_end()
        assert running.process.wait() == 0
    # The office has as little time, so that it may be killed too: on a busy machine it is.
    at = logged.index(("child_killed", "edge"))
    assert (logged[at - 1], logged[at + 1]) == (("draining", ["edge"]), ("draining", ["office"]))


def test_a_killed_child_is_replaced() -> None:
    with tree([EDGE], [OFFICE]) as running:
        children = running.up(2)
        os.kill(children["edge"], signal.SIGKILL)
        again = running.up()
        assert again["edge"] != children["edge"]
        running.process.terminate()
        assert running.rest() == ["edge drained", "office drained"]


def test_a_child_that_keeps_dying_is_given_more_and_more_time() -> None:
    with tree([OFFICE | {"status": 1}]) as running:
        events = (running.logged() for _ in range(6))
        waits = [event["restart_in"] for event in events if event["event"] == "child_died"]
        assert waits == [0, 0.2, 0.5]
        running.process.terminate()
        assert running.process.wait() == 0


def test_what_no_restart_would_change_ends_the_tree_with_the_childs_own_status() -> None:
    with tree([EDGE], [OFFICE | {"status": Exit.DATA}]) as running:
        running.rest()
        assert running.process.wait() == Exit.DATA


def test_children_go_when_their_supervisor_is_killed() -> None:
    with tree([EDGE], [OFFICE]) as running:
        running.up(2)
        running.process.kill()
        assert sorted(running.rest()) == ["edge orphaned", "office orphaned"]


def test_sighup_replaces_one_child_after_the_other(gate: tuple[int, int]) -> None:
    first, second = EDGE | {"gate": gate[0]}, {"name": "second"}
    with tree([first, second], inherits=gate[:1]) as running:
        before = running.up(2)
        running.process.send_signal(signal.SIGHUP)
        assert running.hears() == "edge draining"
        os.kill(before["second"], signal.SIGUSR1)
        assert running.hears() == "second works"
        os.write(gate[1], b".")
        assert running.hears() == "edge drained"
        said = {" ".join(running.hears().split()[:2]) for _ in range(3)}
        assert said == {"edge up", "second drained", "second up"}
        os.write(gate[1], b".")
        running.process.terminate()
        running.rest()
        assert running.process.wait() == 0
