"""The whole beyond one machine, with real parts on loopback, broken on purpose.

Three JetStream nodes, a PostgreSQL, two edges and two consumers; after whatever happens to them
each hit that was answered is in the store exactly once.
"""
