-- The decision of a move, in the region that it goes to: the first of `arrived` and `cancelled` stands.
-- KEYS: the session, the user's devices, the organisation's void moments, the decision, the device's revocation, the organisation's state.
-- ARGV: value, idle milliseconds, ref, hash, milliseconds that devices and decision are kept, when it began, user.
local stale = untold(KEYS[6])
if stale then
  return stale
end
local decided = redis.call('GET', KEYS[4])
if decided then
  return decided
end
local all, own = voids(KEYS[3], ARGV[7])
local verdict = 'arrived'
if math.max(all, own) >= tonumber(ARGV[6]) or redis.call('EXISTS', KEYS[5]) == 1 then
  verdict = 'cancelled'
end
redis.call('SET', KEYS[4], verdict, 'PX', ARGV[5])
if verdict == 'arrived' then
  redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
  if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[5]) then
    redis.call('PEXPIRE', KEYS[2], ARGV[5])
  end
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  begun(KEYS[6], ARGV[6])
end
return verdict
