-- The tiers of shared/quotas. Expand: `standard`, which the release before writes, is still taken, and read as `professional`. A later
-- release, when nobody writes it any more, takes it out of the constraint (contract).

ALTER TABLE directory.organisations ADD CONSTRAINT organisations_tier
    CHECK (tier IN ('free', 'starter', 'professional', 'enterprise', 'standard')) NOT VALID;
ALTER TABLE directory.organisations ALTER COLUMN tier SET DEFAULT 'professional';
