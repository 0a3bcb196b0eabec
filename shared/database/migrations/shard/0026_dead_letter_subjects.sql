-- What a list of dead letters shows stands beside the event, which may be 8 MiB: a page of them is not to be read for it.

ALTER TABLE dead_letters ADD COLUMN subject text;
COMMENT ON COLUMN dead_letters.subject IS 'Of the event; null also where a release without this column wrote the row';
