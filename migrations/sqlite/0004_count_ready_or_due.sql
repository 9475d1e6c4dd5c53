-- What is counted: the unfinished records of a tenant, which are ready or have a due time, or both. A ready record needs no
-- due time to be found.
drop index record_waiting;
create index record_waiting on record (lane, shelf, since)
where (due_at is not null or band is not null) and lane is not null;
