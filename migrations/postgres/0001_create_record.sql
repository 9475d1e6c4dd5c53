-- Versioned records, the blobs beside them, and the four orders they are read in.
-- Text is compared byte by byte, times are microseconds since 1970.

create table record (
    kind       smallint not null,
    tenant     text collate "C" not null,
    id         text collate "C" not null,
    version    bigint not null,
    lane       text collate "C",
    band       smallint,
    since      bigint,
    due_at     bigint,
    shelf      text collate "C" not null,
    listed_at  bigint not null,
    expires_at bigint,
    body       text not null,
    primary key (kind, tenant, id)
) with (
    -- Room on each page for the next version of a row: a renewal changes no indexed column, so that it is a HOT update.
    fillfactor = 75,
    -- A queue makes dead rows all the time; waiting for a fifth of the table would let them pile up.
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.02,
    autovacuum_vacuum_cost_delay = 0
);

-- What a claim reads: the heads of lanes. A record that cannot be claimed has no band and is not in it.
create index record_ready on record (lane, band, since, id) where band is not null;

-- What the sweep reads. Finished records have no due time.
create index record_due on record (due_at) where due_at is not null;

-- What lists read, newest first.
create index record_shelf on record (kind, tenant, shelf, listed_at desc, id desc);

-- What the purge reads.
create index record_expires on record (expires_at) where expires_at is not null;

create table blob (
    kind   smallint not null,
    tenant text collate "C" not null,
    id     text collate "C" not null,
    name   text collate "C" not null,
    body   bytea not null,
    primary key (kind, tenant, id, name)
);
