-- KEYS: the organisation's void moments, its state. ARGV: now in microseconds or '', the user or ''.
-- Answers now, the latest moment that counts for the user (for '' the latest of all), the organisation's, and the latest beginning of a session.
local stale = untold(KEYS[2])
if stale then
  return stale
end
local latest = 0
if ARGV[2] == '' then
  for _, moment in ipairs(redis.call('HVALS', KEYS[1])) do
    latest = math.max(latest, tonumber(moment))
  end
else
  local all, own = voids(KEYS[1], ARGV[2])
  latest = math.max(all, own)
end
return {text(now_or(ARGV[1])), text(latest), text(tonumber(field(KEYS[1], 'all') or 0)), field(KEYS[2], 'latest') or '0'}
