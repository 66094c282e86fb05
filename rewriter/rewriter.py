"""The rewriter as a library: a page or a message in, the same with its links tracked out.

    rewriter = Rewriter(Config(tracking_domain="click.example.com"), Keyring.load("keyring.json"))
    rewriter.html(page, Context(recipient="ann@example.org", message_id="1@example.com")).data

Promise: what can't be rewritten comes out as it went in, with a caution that says so; with
`strict`, it raises instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import AnyStr, Generic

from rewriter.config import Config
from rewriter.html.page import is_rewritten
from rewriter.keyring import Keyring
from rewriter.links import Policy
from rewriter.mime.letterhead import Letterhead
from rewriter.mime.message import UNKNOWN, RewrittenMessage, rewrite_message
from rewriter.report import Caution, LinkReport
from rewriter.template import Template
from rewriter.tokens import Context, FrameTooLarge, Tokens


@dataclass(frozen=True, slots=True)
class Rewritten(Generic[AnyStr]):
    """What came out, what became of each link, and what the sender should look at."""

    data: AnyStr
    links: tuple[LinkReport, ...] = ()
    cautions: tuple[Caution, ...] = ()


class Rewriter:
    """Rewrites for one sender.

    Raises `KeyringError` where the keyring can't sign for the tracking domain.
    """

    def __init__(self, config: Config, keyring: Keyring) -> None:
        self.config = config
        self.policy = Policy(config, Tokens(keyring.for_domain(config.tracking_domain)))

    def html(
        self,
        page: AnyStr,
        context: Context,
        *,
        values: Mapping[str, str] | None = None,
        charset: str = "",
    ) -> Rewritten[AnyStr]:
        """Rewrite one page for one recipient.

        Text comes back as text, bytes as bytes; for bytes, `charset` is the label in the message's
        header. A page that was rewritten before for the same message and recipient stays as it is.
        Raises `FrameTooLarge` only if `strict` is set.
        """
        html = page if isinstance(page, bytes) else page.encode("utf-8", "surrogatepass")
        if is_rewritten(html, self.policy, context):
            return Rewritten(page, cautions=(Caution("already-rewritten", context.message_id),))
        template = self.template(page, charset=charset)
        try:
            data = template.render(context, values)
        except FrameTooLarge as error:
            if self.config.strict:
                raise
            return Rewritten(page, cautions=(Caution("too-long", str(error)),))
        given = data if isinstance(page, bytes) else data.decode("utf-8", "surrogatepass")
        return Rewritten(given, template.plan.links, template.plan.cautions)

    def message(self, data: bytes, letterhead: Letterhead = UNKNOWN) -> RewrittenMessage:
        """Rewrite a whole message for one recipient; `bytes()` of what it gives is the message.

        Whose mail it is stands in its headers; `letterhead` goes before them. Raises `Refused` only
        if `strict` is set.
        """
        return rewrite_message(data, self.policy, letterhead)

    def template(self, page: str | bytes, *, charset: str = "") -> Template:
        """Compile a page that will be rendered for many recipients."""
        if isinstance(page, str):
            return Template.compile(page.encode("utf-8", "surrogatepass"), self.policy, "utf-8")
        return Template.compile(page, self.policy, charset)
