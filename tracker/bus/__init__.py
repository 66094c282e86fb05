"""The bus: NATS JetStream between many edges and the store.

| module | holds |
|---|---|
| `address.py` | where a stream is, who may use it, and what it should be: a sink's URL, parsed |
| `credentials.py` | a credentials file, read and signed with |
| `identity.py` | who we are: the files that name us, read at each connection |
| `connection.py` | one connection, for one life |
| `stream.py` | the stream: made where it is missing, compared where it is there |
| `message.py` | an event as the stream has it |
| `publishing.py` | messages to the stream, acknowledged |
| `pulling.py` | messages from the stream, in batches |
| `durable.py` | the consumer that remembers what the store has |
| `dead.py` | what can't be stored, kept beside the stream |
| `standing.py` | how the bus does, in words |

Nothing here knows of the store, or of the spool. Only `connection.py` loads nats-py's client.
"""
