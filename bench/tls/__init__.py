"""HTTPS beside plain HTTP and beside nginx with the same certificate, in one run.

    python -m bench.tls [--quick]

One core for the server, one for the clients, everything on loopback and in turn.

    servers   who is asked: an edge worker with both ports, nginx with TLS
    clients   who asks: threads that shake hands in full, resume, or keep their connections
    report    the tables and the goals
"""
