-- Each version of a job that changes what is indexed is put into every index anew, the key's too. Where keys are put at the
-- end of that index, and after `reindex`, half of each page is left for the versions that follow: a page that is full is
-- looked through for entries that are gone, and then split all the same. Where others lie behind, as robots do behind jobs,
-- pages are split in halves anyway.
alter index record_pkey set (fillfactor = 50);
