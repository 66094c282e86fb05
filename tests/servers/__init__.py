"""Real servers on loopback for tests: PostgreSQL, a CA, DNS, and what stands between and breaks.

| module | holds |
|---|---|
| `fetch.py` | `python -m tests.servers.fetch` brings Pebble from Debian into build/servers |
| `pebble.py` | `running(...)`: Let's Encrypt's test CA as a process of its own |
| `dns.py` | `serving(zone)`: a resolver that answers, fails or is silent as its `Zone` says |
| `answers.py` | what a CA finds at a name: HTTP-01 and TLS-ALPN-01 |
| `faulty.py` | `between(...)`: stands before Pebble and breaks what a test wants broken |
| `nats.py` | `running(...)`: NATS with JetStream, one node or a cluster, ended and started |
| `authority.py` | a small CA of the tests' own, also for wrong certificates |
| `postgresql.py` | `running(...)`: PostgreSQL as a process of its own, to be stopped and killed |
| `proxy.py` | `between(address)`: a TCP connection that is cut, hangs, is slow, and heals |
| `processes.py` | children of a process, and their end |
| `fixtures.py` | CA, DNS and answers as pytest fixtures, to be imported by a conftest |
| `session.py` | fixtures that a whole session of tests shares: `postgres`, `postgres_url` |

All listen on free ports, and end with the block that started them.
"""
