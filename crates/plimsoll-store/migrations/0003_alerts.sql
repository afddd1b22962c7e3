-- The alerts that stand, complete, as `plimsoll-wire` writes them.
CREATE TABLE alerts (
    service TEXT PRIMARY KEY,
    record TEXT NOT NULL
) WITHOUT ROWID;
