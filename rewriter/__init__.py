"""The rewriter: what a sender runs.

A piece of HTML or a whole MIME message goes in; the same bytes come out, with signed links that
lead to the sender's tracking domain and one pixel. It imports nothing of the tracker and no server.

    rewriter.py  template.py      the library: start here
    config.py                     what can be set, as one frozen value
    links.py  switches.py  …      the policy: which links are tracked, and what they are called
    html/                         where links stand in a page
    mime/                         where pages stand in a message
    plan.py  splice.py            the edits, and the one function that makes them
    tokens.py  keyring.py         what a tracked link is made of
    cli.py  commands/             what a sender types
"""
