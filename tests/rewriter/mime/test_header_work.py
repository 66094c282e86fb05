"""Headers that were written to be slow to read: the work grows with their length, not its square.

A search that is quadratic takes hours for a field of this size and runs into the test's time limit.
"""

import pytest

from rewriter.config import Config
from rewriter.keyring import Keyring
from rewriter.mime.letterhead import addresses
from rewriter.rewriter import Rewriter

SIZE = 300_000  # bytes
REWRITER = Rewriter(Config(tracking_domain="click.example.com"), Keyring.new())
UNITS = [b"a", b'\\"', b'"', b"=?", b"=?utf-8?q?", b"a=", b"%", b"(", b")", b"<", b"@", b"a@"]
UNITS += [b"; ", b"\\", b"a b ", b";a=b", b"*0*=", b"[", b'" ', b'a"@', b'("']
FIELDS = ["To", "From", "Message-ID", "Date", "X-Mailgun-Tag", "X-Mailgun-Variables"]
FIELDS += ["X-SES-MESSAGE-TAGS", "Content-Disposition", "Content-Transfer-Encoding"]


@pytest.mark.parametrize("unit", UNITS, ids=repr)
@pytest.mark.parametrize("field", [*FIELDS, "Content-Type: text/html;"])
def test_a_hostile_field_costs_no_more_than_its_length(field: str, unit: bytes) -> None:
    name, _, value = field.partition(":")
    noise = unit * (SIZE // len(unit))
    kind = b"" if name == "Content-Type" else b"Content-Type: text/html\r\n"
    head = name.encode() + b":" + value.encode() + b" " + noise + b"\r\n" + kind
    body = b'\r\n<a href="http://a.example/">a</a>\r\n'
    given = head + body
    tracked = bytes(REWRITER.message(given))
    assert tracked == given or b'<a href="https://click.example.com/c/' in tracked


@pytest.mark.parametrize(
    ("field", "found"),
    [
        (b'"Marie, D." <marie@a.example>, b@c.example (x)', ["marie@a.example", "b@c.example"]),
        (b'"a b"@c.example', ['"a b"@c.example']),
        (b'"x@y.example" <a@b.example>', ["a@b.example"]),
        (b'"Foo <a@b.example>', ["a@b.example"]),
        (b"undisclosed-recipients:;", []),
        (b"a@, @b, c", []),
    ],
)
def test_addresses_are_found_without_their_names(field: bytes, found: list[str]) -> None:
    assert addresses(field) == found
