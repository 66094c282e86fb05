"""The store: events in a database, found again by domain, time and what Mailgun's filters name.

`row` turns an event's JSON document into what is stored, `schema` and `document` say how it lies on
disk, `query` turns a range and a tree of conditions into one statement, `database` runs them.
"""
