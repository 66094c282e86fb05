"""The TLS front: a TCP connection comes in, its certificate is chosen by name, HTTP goes on inside.

    ClientHello → name → context → handshake → the same HTTP protocol as on the plain port

The hello is read before any cryptography, so that an unknown name costs a parse and an alert.
"""
