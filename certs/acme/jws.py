"""Signed requests (RFC 8555 §6.2): flattened JSON Web Signatures by josepy's algorithms."""

from typing import Any

import msgspec
from josepy.json_util import encode_b64jose
from josepy.jwa import ES256, HS256

from certs.acme.jwk import AccountKey, public_jwk
from certs.acme.values import ExternalAccount


def signed(
    payload: object, *, key: AccountKey, url: str, nonce: str = "", account_url: str = ""
) -> dict[str, str]:
    """Sign a request to `url`; None as the payload reads a resource (POST-as-GET, §6.3).

    Signs for the account, or, without an `account_url`, by the key that it then carries.
    """
    protected: dict[str, Any] = {"alg": "ES256", "url": url}
    protected |= {"kid": account_url} if account_url else {"jwk": public_jwk(key)}
    protected |= {"nonce": nonce} if nonce else {}
    head, body = _part(protected), "" if payload is None else _part(payload)
    return _flattened(head, body, ES256.sign(key, f"{head}.{body}".encode()))


def bound(account: ExternalAccount, key: AccountKey, url: str) -> dict[str, str]:
    """Bind an account key to the account that the CA gave out (§7.3.4)."""
    head = _part({"alg": "HS256", "kid": account.key_id, "url": url})
    body = _part(public_jwk(key))
    return _flattened(head, body, HS256.sign(account.hmac_key, f"{head}.{body}".encode()))


def _part(value: object) -> str:
    return encode_b64jose(msgspec.json.encode(value))


def _flattened(protected: str, payload: str, signature: bytes) -> dict[str, str]:
    return {
        "protected": protected,
        "payload": payload,
        "signature": encode_b64jose(signature),
    }
