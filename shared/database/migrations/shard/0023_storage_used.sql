-- The archives that were kept before uses were counted count as well. What is counted already stays as it is; where somebody keeps an
-- archive at this very moment, upkeep sets the counter right.

INSERT INTO usage_records (org_id, source, event_id, meter, period, amount)
SELECT org_id, 'codegen', artefact_id::text, 'storage', date '1970-01-01', size FROM artefacts ON CONFLICT DO NOTHING;
INSERT INTO usage_counters AS c (org_id, meter, period, used)
SELECT org_id, 'storage', date '1970-01-01', sum(size)::bigint FROM artefacts GROUP BY org_id
ON CONFLICT (org_id, meter, period) DO UPDATE SET used = excluded.used;
