"""Account keys as JSON Web Keys (RFC 7517), and their thumbprints (RFC 7638).

Account keys are ECDSA on P-256, which every CA takes and whose signatures are short.
"""

from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from josepy.json_util import encode_b64jose
from josepy.jwk import JWKEC

AccountKey = ec.EllipticCurvePrivateKey


def new_key() -> AccountKey:
    """Make an account key."""
    return ec.generate_private_key(ec.SECP256R1())


def public_jwk(key: AccountKey) -> dict[str, Any]:
    """Return the public half, as it stands in requests to the CA."""
    return dict(_public(key).to_json())


def thumbprint(key: AccountKey) -> str:
    """Return what follows the token and the dot in every challenge answer (RFC 8555 §8.1)."""
    return encode_b64jose(_public(key).thumbprint())


def _public(key: AccountKey) -> JWKEC:
    if not isinstance(key.curve, ec.SECP256R1):
        raise ValueError(f"an account key is on the curve P-256, not on {key.curve.name}")
    return JWKEC(key=key.public_key())
