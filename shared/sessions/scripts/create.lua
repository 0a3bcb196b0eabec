-- KEYS: the session, the user's devices, the organisation's void moments, its state.
-- ARGV: value, idle milliseconds, ref, hash, how many a user may have, milliseconds that the devices are kept, when it began, user, prefix.
-- Answers 'void' when it began too early, else 'created'. Of too many the one that began first goes.
local stale = untold(KEYS[4])
if stale then
  return stale
end
local all, own = voids(KEYS[3], ARGV[8])
if math.max(all, own) >= tonumber(ARGV[7]) then
  return 'void'
end
if redis.call('HLEN', KEYS[2]) >= tonumber(ARGV[5]) then
  local devices, first, first_hash, left = redis.call('HGETALL', KEYS[2]), nil, nil, 0
  for i = 1, #devices, 2 do
    local ref, hash = devices[i], devices[i + 1]
    if redis.call('EXISTS', ARGV[9] .. hash) == 0 then
      redis.call('HDEL', KEYS[2], ref)
    else
      left = left + 1
      if not first or ref < first then
        first, first_hash = ref, hash
      end
    end
  end
  if left >= tonumber(ARGV[5]) then
    redis.call('HDEL', KEYS[2], first)
    redis.call('UNLINK', ARGV[9] .. first_hash)
  end
end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[6]) then
  redis.call('PEXPIRE', KEYS[2], ARGV[6])
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
begun(KEYS[4], ARGV[7])
return 'created'
