-- KEYS: the decision of a move. ARGV: milliseconds that it is kept. Answers what stands.
local decided = redis.call('GET', KEYS[1])
if decided then
  return decided
end
redis.call('SET', KEYS[1], 'cancelled', 'PX', ARGV[1])
return 'cancelled'
