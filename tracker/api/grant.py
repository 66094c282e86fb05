"""Grants: what a key opens, and whether a request may be made under it.

In: a key's scope and domains, and what an endpoint needs. Out: nothing, or Refused.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from tracker.api.answer import Refused
from tracker.store.access import Scope
from tracker.store.row import exact

Need = Literal["read", "write", "rewrite", "ask"]

# What each scope is for. A `send` key may stand on every machine that sends: it signs links and
# asks who is suppressed, and reads nobody's events.
OPENS: Final = MappingProxyType(
    {
        "read": frozenset[Need](("read", "ask")),
        "write": frozenset[Need](("read", "write", "rewrite", "ask")),
        "send": frozenset[Need](("rewrite", "ask")),
    }
)


@dataclass(frozen=True, slots=True)
class Grant:
    """What one key opens; without `domains`, every one of them."""

    id: str
    scope: Scope = "write"
    domains: frozenset[str] = frozenset()

    @property
    def who(self) -> str:
        """Name the key's holder in the audit log."""
        return f"key {self.id}"

    def check(self, need: Need, domain: str | None) -> None:
        """Raise Refused unless the key opens what an endpoint needs.

        `domain` is the sending domain that is asked about; None stands for all of them.
        """
        if need not in OPENS[self.scope]:
            raise Refused(f"this key is for {self.scope}, and the request needs {need}", 403)
        if not self.domains or (domain is not None and exact(domain) in self.domains):
            return
        theirs = ", ".join(sorted(self.domains))
        raise Refused(
            f"this key is for {theirs}, and the request is about {domain or 'every domain'}", 403
        )


BOOTSTRAP: Final = Grant("api.key")
