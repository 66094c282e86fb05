"""Webhooks: events posted to a sender's own URLs, as Mailgun posts them.

`queue` in the store says what is due; here it is signed, written down and posted, to nobody but
public addresses, and what came of it is judged.
"""
