"""Forwarding: hits from the spool, made events, to every sink, each once and at its own pace.

    sweep → forward → delivery → a sink
                    ↘ again, from dead letters and, by history, from the store

`ledger` is what is remembered on disk: positions, `dead` letters, what was `missed`, the `roll` of
sinks, `replays` that were asked for, clicks that are `recent`. `overflow` bounds what waits.
"""
