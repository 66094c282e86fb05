"""What `deploy/` tells people and programs to do can be done: commands, variables and settings."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import understood, written
from tests.deploy.files import CLUSTER, DEPLOY, ROOT, TEXTS, containers, documents, named
from tracker import source
from tracker.bus.address import Address, Wanted
from tracker.settings import TABLE, variable
from tracker.sinks.url import SinkUrl

SETTINGS = {setting.name for setting in TABLE}
VARIABLES = {variable(name) for name in SETTINGS} | {source.FILE_VARIABLE}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("serve --config x.toml", ""),
        ("domains add NAME --sending-domain DOMAIN", ""),
        ("keys new", ""),
        ("sevre", "there is no 'tracker sevre'"),
        ("keys nwe", "there is no 'nwe' in 'tracker keys nwe'"),
        ("serve --confgi x.toml", "'tracker serve --confgi x.toml' takes no --confgi"),
    ],
)
def test_a_command_that_isnt_there_is_found_out(words: str, says: str) -> None:
    assert understood(words.split()) == says


@pytest.mark.parametrize("file", TEXTS, ids=named)
def test_every_command_of_a_file_is_one(file: Path) -> None:
    commands = [words for words in written(file.read_text()) if words[0] != "%i"]
    assert [said for said in map(understood, commands) if said] == []


@pytest.mark.parametrize("role", ["edge", "office", "serve"])
def test_the_unit_for_one_machine_runs_what_its_name_says(role: str) -> None:
    (words,) = written((DEPLOY / "systemd" / "tracker@.service").read_text().replace("%i", role))
    assert understood(words) == ""
    assert words[0] == role


def test_every_container_of_ours_runs_a_command() -> None:
    composed = documents(CLUSTER / "compose.yaml")[0]["services"].values()
    ours = [one["command"] for one in composed if one["image"].startswith("tracking-edge:")]
    ours += [one["args"] for _, one in containers() if "tracking-edge:" in one["image"]]
    assert sorted(map(tuple, ours)) == [
        *[("consume",)] * 3,
        ("keys", "new"),
        *[("serve",)] * 3,
    ]
    assert [understood(command) for command in ours] == [""] * len(ours)


@pytest.mark.parametrize("file", TEXTS, ids=named)
def test_every_variable_of_a_file_is_one_of_a_setting(file: Path) -> None:
    assert set(re.findall(r"\bTRACKER_[A-Z_]+", file.read_text())) <= VARIABLES


@pytest.mark.parametrize("file", [one for one in TEXTS if one.suffix == ".md"], ids=named)
def test_every_setting_that_is_spoken_of_is_there(file: Path) -> None:
    sections = "|".join({name.partition(".")[0] for name in SETTINGS if "." in name})
    spoken = re.findall(rf"`((?:{sections})\.[a-z_]+)`", file.read_text())
    files = {"consume.toml", "edge.toml", "store.db"}  # which look like one
    assert set(spoken) - files <= SETTINGS


@pytest.mark.parametrize("file", [one for one in TEXTS if one.suffix == ".toml"], ids=named)
def test_every_settings_file_is_taken(file: Path) -> None:
    assert source.load(source.find(file))


def streams() -> Iterator[Wanted]:
    """Give the stream of each settings file, as whoever reads that makes it."""
    for folder in ("cluster", "systemd"):
        edge, consumer = (
            source.load(source.find(DEPLOY / folder / name))
            for name in ("edge.toml", "consume.toml")
        )
        for url in (*edge.sinks, SinkUrl.parse(consumer.consume.url)):
            yield Address.of(url.address, url.options, {}).stream


def test_whoever_is_first_makes_the_same_stream() -> None:
    assert list(streams()) == [next(streams())] * 4
    assert next(streams()).replicas == 3
    assert next(streams()).max_bytes > 0, "a stream without a bound fills the servers' disks"


def test_the_image_is_of_the_version_that_is_built_here() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    said = [re.findall(r"tracking-edge:(\d[\w.]*)", file.read_text()) for file in TEXTS]
    assert {one for found in said for one in found} == {version}
    assert documents(CLUSTER / "kustomization.yaml")[0]["images"][0]["newTag"] == version


@pytest.mark.parametrize(
    "file",
    [one for one in TEXTS if (CLUSTER in one.parents or one.parent.name == "systemd")],
    ids=named,
)
def test_every_file_says_what_it_is_and_how_it_is_used(file: Path) -> None:
    head = file.read_text().removeprefix("#!/bin/sh\n").partition("\n\n")[0]
    assert head.startswith("# ")
    assert file.suffix == ".md" or len(head) > 80


def test_what_root_types_is_done_as_the_services_do_it() -> None:
    """What another account leaves in the data folder, the services can't open."""
    unit = (DEPLOY / "systemd" / "tracker@.service").read_text()
    typed = (DEPLOY / "systemd" / "tracker").read_text()
    given = re.findall(r"--property=((?!EnvironmentFile|LoadCredential)\w+=[^\s\"]+)", typed)
    assert {one.partition("=")[0] for one in given} >= {"DynamicUser", "User", "StateDirectory"}
    assert [one for one in given if one not in unit.splitlines()] == []
    (data,) = re.findall(r"--setenv=(TRACKER_DATA=\S+)", typed)
    assert f"Environment={data} " in unit
    (program,) = re.findall(r"set -- (/\S+)", typed)
    assert f"ExecStart={program} %i --config /etc/tracking-edge/tracker.toml" in unit


@pytest.mark.parametrize("key", ["EnvironmentFile", "LoadCredential"])
def test_what_root_types_on_a_machine_of_a_cluster_has_its_secrets(key: str) -> None:
    cluster = (DEPLOY / "systemd" / "cluster.conf").read_text()
    typed = (DEPLOY / "systemd" / "tracker").read_text()
    typed = typed.replace("$settings", "/etc/tracking-edge")
    (given,) = re.findall(rf"--property={key}=-?([^\"]+)\"", typed)
    assert f"{key}={given}" in cluster.splitlines()
