-- What lists read begins with the shelf. Begun with kind and tenant, as the primary key is, it was taken for that key where
-- the planner knew nothing of the table yet, and each look at one record went through all of its tenant.
drop index record_shelf;
create index record_shelf on record (shelf, kind, tenant, listed_at desc, id desc);

-- What is counted. What is ready is counted by the index of claims, so that a new job is put into one index less; this one
-- has what is unfinished besides.
drop index record_ready;
create index record_ready on record (lane, band, since, id) include (shelf) where band is not null;
drop index record_waiting;
create index record_waiting on record (lane, shelf) where due_at is not null and band is null and lane is not null;
