-- Splitting and merging organisations (shared/reorganisation): where one came from, what one is becoming part of, and since when.

ALTER TABLE directory.organisations ADD COLUMN split_from uuid;
-- One that is merged lets nobody in from `merging_at` on, and owns nothing that changes hands when `closed_at` is set. Its row stays: its
-- id follows from its name, so that another organisation of that name would be this one, with its records.
ALTER TABLE directory.organisations ADD COLUMN merged_into uuid;
ALTER TABLE directory.organisations ADD COLUMN merging_at timestamptz;
ALTER TABLE directory.organisations ADD COLUMN closed_at timestamptz;
