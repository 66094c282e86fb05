"""Certificates for tracking domains, from the CNAME to the handshake, and for ever after.

| part | holds |
|---|---|
| `acme/` | a client for the CA: accounts, orders, renewal information, revocation |
| `vault/` | accounts, keys and certificates, sealed, and who may issue now |
| `issuing/` | the loop that brings each wanted name from registered to served |
| `renewal.py`, `expiry.py` | when to renew, when to try again, when to shout: pure |
| `cache.py` | certificates in a folder, sealed, for the edge's workers |
| `front/` | what the edge does before HTTP: the client's greeting and its certificate |
| `doctor/` | what stands in the way of a name, in words, with the record to paste |

It imports neither the rewriter nor the tracker, so that either can do without it.
"""
