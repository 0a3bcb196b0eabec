-- KEYS: the organisation's void moments; for a user, the user's devices. ARGV: 'all' or the user, the moment, the oldest one that still counts, prefix.
-- Answers the latest moment that counted before (for 'all' the latest of all).
-- The hash has no time to live, so that no server evicts it: what counts no more is dropped here.
local known, before = redis.call('HGETALL', KEYS[1]), 0
for i = 1, #known, 2 do
  if ARGV[1] == 'all' or known[i] == 'all' or known[i] == ARGV[1] then
    before = math.max(before, tonumber(known[i + 1]))
  end
  if tonumber(known[i + 1]) < tonumber(ARGV[3]) then
    redis.call('HDEL', KEYS[1], known[i])
  end
end
if tonumber(field(KEYS[1], ARGV[1]) or 0) < tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
if KEYS[2] then
  for _, hash in ipairs(redis.call('HVALS', KEYS[2])) do
    redis.call('UNLINK', ARGV[4] .. hash)
  end
  redis.call('UNLINK', KEYS[2])
end
return text(before)
