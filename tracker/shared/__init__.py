"""What all machines of one store share, and the copies that let each work on while it is away.

`keyring` says what becomes of two keyrings, `keys` brings them together through the store, `copy`
is the file of what else is remembered, `sharing` keeps all of it current.
"""
