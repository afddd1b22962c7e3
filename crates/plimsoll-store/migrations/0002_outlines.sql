-- The outlines of a service, as `plimsoll-wire` packs them, and the newest arrival that is in them.
CREATE TABLE outlines (
    service TEXT PRIMARY KEY,
    covered INTEGER NOT NULL,
    newest_at INTEGER NOT NULL,
    record BLOB NOT NULL
);

-- What came in after the outlines were kept, in the order in which it was taken in; `kind` is
-- `samples` or `changes`. Numbers are never used again, so that one covers all that came before it.
CREATE TABLE arrivals (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    record BLOB NOT NULL
);
