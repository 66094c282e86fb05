"""The runbook lists what the doctor finds and what is alerted, as they are."""

import re
from pathlib import Path
from typing import get_args

from certs.doctor import CODES
from certs.expiry import Kind

RUNBOOK = (Path(__file__).parents[3] / "docs" / "https.md").read_text()


def test_every_code_is_explained_with_its_severity() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+\.[a-z0-9-]+)` \| (\w+) \| \S", RUNBOOK, re.MULTILINE)
    assert sorted(rows) == sorted(CODES.items())


def test_every_alert_is_explained() -> None:
    alerts = RUNBOOK.partition("## What each alert means")[2].partition("\n## ")[0]
    named = re.findall(
        r"`([a-z0-9-]+)`", "".join(re.findall(r"^\| (`.*?) \|", alerts, re.MULTILINE))
    )
    assert sorted(named) == sorted(get_args(Kind))
