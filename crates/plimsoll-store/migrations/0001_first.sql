-- One row for each measured thing. A missing version is the empty text, which is not a version,
-- because NULLs are never equal and would make the series a new one each time.
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    service TEXT NOT NULL,
    metric TEXT NOT NULL,
    instance TEXT NOT NULL,
    version TEXT NOT NULL,
    -- Day since the epoch of its newest sample, so that a series without samples is found without
    -- looking for them. Written once a day.
    last_day INTEGER NOT NULL,
    UNIQUE (service, metric, instance, version)
);

-- `at` in milliseconds since the epoch, `minute` the same in whole minutes. In the order of minutes,
-- so that a batch touches neighbouring pages (by series alone it would touch one page a series), a
-- replay is one scan, and old samples are one range; a curve is one seek a minute. There is no
-- foreign key: it would need an index by series, as large as the table.
CREATE TABLE samples (
    minute INTEGER NOT NULL,
    series INTEGER NOT NULL,
    at INTEGER NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (minute, series, at)
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
