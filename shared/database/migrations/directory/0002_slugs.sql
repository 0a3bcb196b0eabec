-- What people call an organisation. Its id is made from it (see shared/shards/organisations.py), so two cannot share one; NULL for
-- organisations that were made before, or without a name.

ALTER TABLE directory.organisations ADD COLUMN slug text;
