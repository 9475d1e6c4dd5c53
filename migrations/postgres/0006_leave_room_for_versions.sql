-- Each version of a job that changes what is indexed is put into every index anew, the key's too. Half of each page of that
-- one is left for the versions that follow: without room, each full page was looked through for entries that are gone, and
-- then split all the same. It holds for pages that are written from now on, and for all after `reindex`.
alter index record_pkey set (fillfactor = 50);

-- The record of a robot that holds a hundred jobs is longer than what is kept in the row, and written with each claim:
-- it was compressed each time.
alter table record alter column body set storage external;
