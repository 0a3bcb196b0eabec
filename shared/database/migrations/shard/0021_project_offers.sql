-- A project that is offered to another organisation, which may take it: then it leaves this one, with its artefacts.

ALTER TABLE projects ADD COLUMN offered_to uuid;
GRANT UPDATE (offered_to), DELETE ON projects TO hal9_app;
GRANT DELETE ON artefacts TO hal9_app;
