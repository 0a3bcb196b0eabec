-- hal9: no-transaction
CREATE INDEX CONCURRENTLY steps_waiting ON steps (executor, org_id, due_at) WHERE state = 'requested';
