-- What the sweep reads: what is due at one moment comes in one order, and many may be due at one moment.
drop index record_due;
create index record_due on record (due_at, id) where due_at is not null;

-- What is counted: the unfinished records of a tenant, whose name begins each of its lanes.
create index record_waiting on record (lane, shelf, since) where due_at is not null and lane is not null;
