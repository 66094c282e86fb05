"""Issuing: brings each wanted name from registered to a certificate that is served.

    registered → CNAME → CAA → preflight on every address → order → committed → proven → links flip

| module | holds |
|---|---|
| `issuer.py` | the loop over all names |
| `visit.py` | one name, one step further |
| `need.py` | why a name needs a new certificate, and from when on: pure |
| `outcome.py` | what a state becomes, and when to look again: pure |
| `budget.py` | the CA's limits, as we keep to them: pure |
| `authority.py` | the CA: one open client and our account |
| `ports.py` | what is handed in |
"""
