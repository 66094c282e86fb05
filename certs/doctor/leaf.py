"""What a certificate says of itself, for people: who issued it, and until when it holds."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from certs.doctor.finding import shown

# Renewal begins at a third of the life left, so at a sixth it has failed for long.
OVERDUE: Final = 6


@dataclass(frozen=True, slots=True)
class Leaf:
    """The first certificate of a chain."""

    issuer: str
    begins: datetime
    ends: datetime

    @property
    def staging(self) -> bool:
        """Tell whether it comes from Let's Encrypt's staging environment, which says so."""
        return "(STAGING)" in self.issuer.upper()

    def overdue(self, now: datetime) -> bool:
        """Tell whether it should have been renewed long ago."""
        return (self.ends - now) * OVERDUE < self.ends - self.begins


def read(der: bytes | None) -> Leaf | None:
    """Read a certificate; None for what is none."""
    try:
        certificate = x509.load_der_x509_certificate(der or b"")
        return Leaf(
            _name(certificate.issuer),
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
        )
    except ValueError:
        return None


def _name(issuer: x509.Name) -> str:
    """Name a CA by its organisation and its own name, as far as it has them."""
    parts = [
        str(attribute.value)
        for kind in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME)
        for attribute in issuer.get_attributes_for_oid(kind)[:1]
    ]
    return shown(" ".join(parts) or "an unnamed CA", 60)
