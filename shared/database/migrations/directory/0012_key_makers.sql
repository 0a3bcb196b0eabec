-- Who made a key: the subject of the session or key that asked for it (`user:<id>`, `key:<prefix>`), or `operator`. Null: the release before
-- made it, and did not say.

ALTER TABLE directory.api_keys ADD COLUMN made_by text;
