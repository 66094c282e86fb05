"""Postfix's log, read into events: what was accepted, delivered, deferred and bounced.

`line` reads a line's time, program and text, `mail` follows a queue id through the lines and says
what happened, `tail` reads a file as it grows and is rotated, `position` remembers how far it was
read.
"""
