"""The vault: keys and certificates, encrypted at rest, and who may work on which name.

`master` encrypts, `bundle` is a certificate with its key, `examined` says whether one may be kept.
The rest is one database: `accounts`, `certificates`, `leases`, `progress` and `alerts`.
"""
