"""What a client is told when a handshake can't be: an alert, and what is counted: an outcome."""

import ssl
from collections.abc import Iterable
from enum import Enum, IntEnum, auto
from typing import Final


class Alert(IntEnum):
    """The alerts that are sent before a TLS session exists (RFC 8446 §6.2)."""

    UNEXPECTED_MESSAGE = 10
    DECODE_ERROR = 50
    INTERNAL_ERROR = 80
    UNRECOGNIZED_NAME = 112
    NO_APPLICATION_PROTOCOL = 120

    @property
    def record(self) -> bytes:
        """The alert as a record, fatal, in the version that all of TLS 1.2 and 1.3 put there."""
        return bytes((21, 3, 3, 0, 2, 2, self))


class Outcome(Enum):
    """How a connection's handshake ended; each ends in exactly one way."""

    FULL = auto()
    RESUMED = auto()
    UNKNOWN_NAME = auto()  # nobody's name here, or one that has no certificate yet
    NO_NAME = auto()  # scanners that only know an address
    NOT_TLS = auto()
    BAD_HELLO = auto()
    NOTHING_SHARED = auto()  # no version, cipher, group or protocol that both have
    DISTRUSTED = auto()  # the client refused our certificate: somebody should look at it
    UNUSABLE = auto()  # the certificate that we have can't be loaded
    SLOW = auto()
    GONE = auto()  # the client left in the middle
    FAILED = auto()


# OpenSSL's reasons, by the outcome that they mean. An alert that a client sends is a reason, too.
_REASONS: Final[Iterable[tuple[Outcome, str]]] = (
    (
        Outcome.NOTHING_SHARED,
        "NO_SHARED_CIPHER NO_SHARED_GROUP NO_SHARED_SIGNATURE_ALGORITHMS NO_SUITABLE_KEY_SHARE "
        "NO_SUITABLE_SIGNATURE_ALGORITHM UNSUPPORTED_PROTOCOL VERSION_TOO_LOW "
        "WRONG_VERSION_NUMBER WRONG_SIGNATURE_TYPE INAPPROPRIATE_FALLBACK "
        "TLSV1_ALERT_PROTOCOL_VERSION SSLV3_ALERT_HANDSHAKE_FAILURE",
    ),
    (
        Outcome.DISTRUSTED,
        "TLSV1_ALERT_UNKNOWN_CA SSLV3_ALERT_BAD_CERTIFICATE SSLV3_ALERT_CERTIFICATE_EXPIRED "
        "SSLV3_ALERT_CERTIFICATE_REVOKED SSLV3_ALERT_CERTIFICATE_UNKNOWN "
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE TLSV1_ALERT_ACCESS_DENIED",
    ),
)
_OUTCOMES: Final = {word: outcome for outcome, words in _REASONS for word in words.split()}


def outcome_of(error: ssl.SSLError) -> Outcome:
    """Return the outcome that an error of the handshake means."""
    return _OUTCOMES.get(error.reason or "", Outcome.FAILED)
