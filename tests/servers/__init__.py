"""Real servers on loopback for tests: a CA, DNS, answers to challenges, and a CA that misbehaves.

| module | holds |
|---|---|
| `fetch.py` | `python -m tests.servers.fetch` brings Pebble from Debian into build/servers |
| `pebble.py` | `running(...)`: Let's Encrypt's test CA as a process of its own |
| `dns.py` | `serving(zone)`: a resolver that answers, fails or is silent as its `Zone` says |
| `answers.py` | what a CA finds at a name: HTTP-01 and TLS-ALPN-01 |
| `faulty.py` | `between(...)`: stands before Pebble and breaks what a test wants broken |
| `authority.py` | a small CA of the tests' own, also for wrong certificates |
| `fixtures.py` | all of it as pytest fixtures, to be imported by a conftest |

All listen on free ports, and end with the block that started them.
"""
