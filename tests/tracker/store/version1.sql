-- A store as the first version made it: its revision is told by user_version alone.
CREATE TABLE event (
    domain TEXT NOT NULL, at BIGINT NOT NULL, id TEXT NOT NULL, sequence BIGINT NOT NULL,
    revision INTEGER NOT NULL, kind TEXT NOT NULL, recipient TEXT NOT NULL,
    message_id TEXT NOT NULL, severity TEXT NOT NULL, mailing_list TEXT NOT NULL,
    from_header TEXT NOT NULL, to_header TEXT NOT NULL, subject TEXT NOT NULL,
    attachments TEXT NOT NULL, recipients TEXT NOT NULL, size BIGINT, document BLOB NOT NULL,
    PRIMARY KEY (domain, at, id)
) WITHOUT ROWID;
CREATE INDEX event_by_recipient ON event (domain, recipient, at, id);
CREATE INDEX event_by_kind ON event (domain, kind, at, id);
CREATE UNIQUE INDEX event_by_sequence ON event (sequence);
CREATE INDEX event_by_message ON event (domain, message_id, at, id);
CREATE TABLE tag (
    domain TEXT NOT NULL, tag TEXT NOT NULL, at BIGINT NOT NULL, id TEXT NOT NULL,
    PRIMARY KEY (domain, tag, at, id)
) WITHOUT ROWID;
CREATE TABLE ingested ("only" INTEGER NOT NULL, last BIGINT NOT NULL, PRIMARY KEY ("only"));
INSERT INTO ingested VALUES (1, 0);
PRAGMA application_id = 1416784709;
PRAGMA user_version = 1;
