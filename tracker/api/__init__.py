"""The API: events over HTTP, as Mailgun's users know them, and a feed that misses none.

`app` puts it together; `events` and `feed` answer; `filters`, `listing` and `paging` turn what a
request says into a walk through the store; `access` and `keys` say who may ask.
"""
