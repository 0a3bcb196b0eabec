-- The states that 0008 added, now that nobody can have written another.

ALTER TABLE tenants VALIDATE CONSTRAINT tenants_state_check;
