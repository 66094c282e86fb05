"""A bundle: a certificate chain with its private key, as the TLS front takes it."""

import msgspec


class Bundle(msgspec.Struct, frozen=True):
    """One name's certificate, ready to be served.

    `chain_pem` begins with the leaf; `generation` grows by one with each certificate of the name;
    `not_before` and `not_after` are in Unix seconds.
    """

    name: str
    chain_pem: bytes
    key_pem: bytes
    generation: int
    not_before: int
    not_after: int
