-- One row for each measured thing. A missing version is the empty text, which is not a version,
-- because NULLs are never equal and would make the series a new one each time.
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    service TEXT NOT NULL,
    metric TEXT NOT NULL,
    instance TEXT NOT NULL,
    version TEXT NOT NULL,
    UNIQUE (service, metric, instance, version)
);

-- Milliseconds since the epoch. Ordered by series, so that a curve is one range; a replay in the
-- order of time merges the series window by window instead of paying for a second index.
CREATE TABLE samples (
    series INTEGER NOT NULL REFERENCES series (id),
    at INTEGER NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (series, at)
) WITHOUT ROWID;

-- Events, as `plimsoll-wire` writes them. The digest of the text makes an event that was sent
-- twice one event.
CREATE TABLE changes (
    digest TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    record TEXT NOT NULL
) WITHOUT ROWID;

CREATE INDEX changes_at ON changes (at);

-- The newest state of every incident, as `plimsoll-wire` writes it.
CREATE TABLE incidents (
    id TEXT PRIMARY KEY,
    opened_at INTEGER NOT NULL,
    is_open INTEGER NOT NULL,
    record TEXT NOT NULL
) WITHOUT ROWID;

CREATE INDEX incidents_opened_at ON incidents (opened_at);
