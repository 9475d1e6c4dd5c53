-- Versioned records, the blobs beside them, and the four orders they are read in.
-- Text is compared byte by byte, times are microseconds since 1970.

create table record (
    kind       integer not null,
    tenant     text not null,
    id         text not null,
    version    integer not null,
    lane       text,
    band       integer,
    since      integer,
    due_at     integer,
    shelf      text not null,
    listed_at  integer not null,
    expires_at integer,
    body       text not null,
    primary key (kind, tenant, id)
) strict;

-- What a claim reads: the heads of lanes. A record that cannot be claimed has no band and is not in it.
create index record_ready on record (lane, band, since, id) where band is not null;

-- What the sweep reads. Finished records have no due time.
create index record_due on record (due_at) where due_at is not null;

-- What lists read, newest first.
create index record_shelf on record (kind, tenant, shelf, listed_at desc, id desc);

-- What the purge reads.
create index record_expires on record (expires_at) where expires_at is not null;

create table blob (
    kind   integer not null,
    tenant text not null,
    id     text not null,
    name   text not null,
    body   blob not null,
    primary key (kind, tenant, id, name)
) strict, without rowid;
