"""What is asked for: the opens and clicks of one newsletter, half and half, no two alike."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rewriter.keyring import Keyring
from rewriter.tokens import CLICK, OPEN, Context, Link, Tokens

DOMAIN: Final = "click.example.com"
RECIPIENTS: Final = 5_000
LINKS: Final = 40


def write(keyring: Path, paths: Path) -> None:
    """Make a keyring, and a file with two paths for each recipient."""
    keys = Keyring.new()
    keys.save(keyring)
    paths.write_text("\n".join(asked_for(Tokens(keys.for_domain(DOMAIN)))) + "\n")


def asked_for(tokens: Tokens) -> Iterator[str]:
    """Yield each recipient's open, and a click on one of the links."""
    pixel = tokens.seal_link(Link())
    links = [
        tokens.seal_link(
            Link(f"https://shop.example.com/products/spring?item={number}", position=number)
        )
        for number in range(LINKS)
    ]
    for number in range(RECIPIENTS):
        context = tokens.seal_context(
            Context(
                message_id=f"20260102.{number:08x}@mail.example.com",
                recipient=f"recipient{number}@example.net",
                sending_domain="mail.example.com",
                sent_at=1_767_312_000,
                tags=("newsletter", "spring"),
            )
        )
        for kind, link in ((OPEN, pixel), (CLICK, links[number % LINKS])):
            yield f"/{kind.decode()}/{tokens.mint(kind, link, context).decode()}"
