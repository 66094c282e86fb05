"""The tracker: what the edge runs.

A hit comes in over HTTP, is on disk before it is answered, and leaves as an event for every sink.
"""
