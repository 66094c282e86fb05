"""What is written about messages is true."""

import re
from pathlib import Path
from typing import get_args

from rewriter import exits
from rewriter.commands.settings import SETTINGS
from rewriter.mime.controls import READERS
from rewriter.notices import SENTENCES, Code
from rewriter.report import CautionCode

TEXT = (Path(__file__).parents[3] / "docs" / "rewriting-mime.md").read_text()


def test_the_example_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names: dict[str, object] = {}
    exec(example, names)  # noqa: S102 - of our own docs
    assert isinstance(names["copy"], bytes)


def test_every_notice_is_explained() -> None:
    codes = {*get_args(Code), *get_args(CautionCode)}
    assert codes == {code for code in codes if f"`{code}`" in TEXT}
    assert set(SENTENCES) == set(get_args(Code))


def test_every_setting_stands_in_the_table() -> None:
    assert re.findall(r"(?m)^\| `(\w+)` \| (.*) \|$", TEXT.partition("## Settings")[2]) == [
        (name, setting.help) for name, setting in SETTINGS.items()
    ]


def test_every_control_header_stands_in_the_table() -> None:
    table = TEXT.partition("## What the message says itself")[2].partition("\n## ")[0]
    assert {name.lower() for name in re.findall(r"(?m)^\| `([\w-]+)` \|", table)} == {
        name.decode() for name in READERS
    }


def test_every_exit_status_stands_in_the_table() -> None:
    statuses = {value for name, value in vars(exits).items() if name.isupper() and value}
    assert {int(status) for status in re.findall(r"(?m)^\| (\d\d) \|", TEXT)} == statuses
