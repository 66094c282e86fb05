"""The rewriter: what a sender runs.

A piece of HTML or a whole MIME message goes in; the same bytes come out, with signed links that
lead to the sender's tracking domain and one pixel. It imports nothing of the tracker and no
server.
"""
