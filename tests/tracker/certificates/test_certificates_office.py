import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from certs.expiry import Alert
from certs.issuing.issuer import Overview
from certs.vault.alerts import Alerts
from certs.vault.database import Vault
from certs.vault.leases import Leases
from rewriter.keyring import Keyring
from tests.patience import PATIENCE, ended, until
from tests.servers.ports import free_port
from tests.tracker.certificates import filled
from tests.tracker.office.process import told
from tracker.domains import TrackingDomain
from tracker.office import CertificateSettings, issuance
from tracker.office.alerts import deliver
from tracker.office.certificates import Certificates
from tracker.office.work import opened
from tracker.store.database import Store
from tracker.store.domains import Domains

pytestmark = pytest.mark.anyio

ALERT = Alert("expired", "click.example.com", "error", "It expired.", "Look.", 3, 1.5, 1)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no answer come too late on a machine that is busy: the alert would be posted again."""
    monkeypatch.setattr("tracker.office.alerts.ANSWER_WITHIN", PATIENCE)


@dataclass
class Hook:
    """A webhook's other end: what it answers in turn, and what it got."""

    answers: list[int]
    got: list[tuple[str, Any]] = field(default_factory=list)
    port: int = 0
    refused: str = ""


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook([503, 302, 200])

    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.got.append((self.path, json.loads(body)))
            refused = hook.refused and hook.refused in body.decode()
            self.send_response(500 if refused else hook.answers.pop(0) if hook.answers else 200)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        hook.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield hook
        server.shutdown()
        thread.join()


async def test_an_alert_is_posted_until_it_is_taken_and_follows_no_redirect(
    vault: Vault, hook: Hook
) -> None:
    await Alerts(vault).raise_(ALERT, deliver=True)

    async def taken() -> bool:
        return not await Alerts(vault).undelivered()

    url = f"http://127.0.0.1:{hook.port}/hook"
    posting = asyncio.create_task(deliver(vault, url, Leases(vault, "office"), retry_after=(0.01,)))
    await until(taken)
    await ended(posting)
    expected = {
        "kind": "expired",
        "name": "click.example.com",
        "severity": "error",
        "says": "It expired.",
        "fix": "Look.",
        "occasion": 3,
        "at": 1.5,
        "not_after": 1,
    }
    assert hook.got == [("/hook", expected)] * 3


async def test_an_alert_that_is_always_refused_holds_up_no_other(vault: Vault, hook: Hook) -> None:
    refused, other = ALERT, msgspec.structs.replace(ALERT, name="other.example.com", at=2.5)
    hook.answers, hook.refused = [], refused.name
    await Alerts(vault).raise_(refused, deliver=True)
    await Alerts(vault).raise_(other, deliver=True)

    async def taken() -> bool:
        return await Alerts(vault).undelivered() == [refused]

    url = f"http://127.0.0.1:{hook.port}/hook"
    leases = Leases(vault, "office")
    posting = asyncio.create_task(deliver(vault, url, leases, retry_after=(3_600,)))
    await until(taken)
    await ended(posting)
    assert [body["name"] for _, body in hook.got] == [refused.name, other.name]


async def test_of_two_machines_one_posts_each_alert(vault: Vault, hook: Hook) -> None:
    hook.answers = []
    names = [f"{number}.example.com" for number in range(20)]
    for name in names:
        await Alerts(vault).raise_(msgspec.structs.replace(ALERT, name=name), deliver=True)

    async def taken() -> bool:
        return not await Alerts(vault).undelivered()

    url = f"http://127.0.0.1:{hook.port}/hook"
    both = [asyncio.create_task(deliver(vault, url, Leases(vault, one))) for one in ("a", "b")]
    await until(taken)
    for posting in both:
        await ended(posting)
    assert sorted(body["name"] for _, body in hook.got) == sorted(names)


@pytest.mark.parametrize(
    ("overview", "status", "says"),
    [
        (Overview(names=2, by_phase={"active": 1}), "ok", "1 of 2 tracking domains with HTTPS"),
        (Overview(trouble="the vault is away"), "degraded", "the vault is away"),
        (Overview(expired=("a.example",)), "degraded", "expired and served all the same: a.exam"),
        (Overview(expired=("a", "b", "c", "d")), "degraded", "a, b, c and others"),
        (Overview(by_stage={"expires-3": 2}), "degraded", "2 certificates should have been"),
        (Overview(by_phase={"paused": 1}), "degraded", "tracker certificates status"),
    ],
)
def test_health_says_how_certificates_are(overview: Overview, status: str, says: str) -> None:
    check = issuance.check(overview)
    assert check.status == status
    assert says in check.says


def test_metrics_tell_the_nearest_expiry_and_why_orders_fail() -> None:
    overview = Overview(
        at=1_000, names=3, by_phase={"dns": 2}, nearest=400, expired=("a",), failures={"caa": 7}
    )
    registry = CollectorRegistry(auto_describe=False)
    registry.register(issuance.Figures(lambda: overview))
    figures = generate_latest(registry).decode().splitlines()
    assert {
        'tracker_certificates{phase="dns"} 2.0',
        'tracker_certificates{phase="active"} 0.0',
        "tracker_certificates_expired 1.0",
        "tracker_certificate_nearest_expiry_seconds -600.0",
        'tracker_certificate_failures_total{reason="caa"} 7.0',
    } <= set(figures)


def _settings(data: Path) -> CertificateSettings:
    return CertificateSettings(
        directory=f"https://127.0.0.1:{free_port()}/dir",
        vault=str(data / "certs.db"),
        master_key=str(data / "master.key"),
        cache=str(data / "certs"),
        edge_host="edge.test",
        resolvers=(f"127.0.0.1:{free_port()}",),
    )


@asynccontextmanager
async def _office(settings: CertificateSettings, folder: Path) -> AsyncIterator[Certificates]:
    store = await Store.open(folder / "store.db")
    domains = Domains(store)
    await domains.add(TrackingDomain("click.example.com"), who="test")
    await domains.add(TrackingDomain("cdn.example.com", tls="external"), who="test")
    certificates = Certificates(settings, domains, try_every=0.02)
    stopping = asyncio.Event()
    running = asyncio.create_task(certificates.run(stopping))
    try:
        yield certificates
    finally:
        stopping.set()
        await running
        await store.close()


async def test_only_domains_with_certificates_of_ours_are_looked_after(tmp_path: Path) -> None:
    async with _office(_settings(tmp_path), tmp_path) as certificates:

        async def looked() -> bool:
            return certificates.overview.names > 0

        await until(looked)
        assert certificates.overview.names == 1
        assert certificates.checks()["certificates"].status == "ok"


async def test_a_lost_master_key_is_told_and_awaited_and_never_replaced(
    vault: Vault, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    key = (data / "master.key").read_bytes()
    (data / "master.key").unlink()
    async with _office(_settings(data), tmp_path) as certificates:

        async def told() -> bool:
            return "restore it from a backup" in certificates.overview.trouble

        async def opened() -> bool:
            return certificates.vault is not None and not certificates.overview.trouble

        await until(told)
        assert not (data / "master.key").exists()
        assert certificates.checks()["certificates"].status == "degraded"
        (data / "master.key").touch(0o600)
        (data / "master.key").write_bytes(key)
        await until(opened)


async def test_expired_certificates_are_shouted_about_from_the_start(
    vault: Vault, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await filled.fill(vault)
    await filled.only(vault, filled.EXPIRED)
    settings = _settings(tmp_path / "data")
    store = await Store.open(tmp_path / "store.db")
    await Domains(store).add(TrackingDomain(filled.EXPIRED), who="test")
    await store.close()
    async with _office(settings, tmp_path) as certificates:

        async def shouted() -> bool:
            return any(one.message == "certificate_expired" for one in caplog.records)

        await until(shouted)
        assert certificates.overview.expired == (filled.EXPIRED,)
    alerts = [one for one in caplog.records if one.message == "certificate_alert"]
    assert [one.__dict__["kind"] for one in alerts] == ["expired"]


async def test_without_tls_of_ours_there_is_nothing_to_look_after(tmp_path: Path) -> None:
    Keyring.new().save(tmp_path / "keyring.json")
    async with opened(told(tmp_path)) as office:
        assert office.certificates is None
    assert not (tmp_path / "master.key").exists()
