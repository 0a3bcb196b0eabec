-- KEYS: the session, the one that follows it, the user's devices.
-- ARGV: the value that is expected, its tombstone, the tombstone's milliseconds, ref, hash, the follower's hash, value and milliseconds.
-- Answers whether it was the expected one.
if field(KEYS[3], ARGV[4]) ~= ARGV[5] or string_at(KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('SET', KEYS[2], ARGV[7], 'PX', ARGV[8])
redis.call('HSET', KEYS[3], ARGV[4], ARGV[6])
return 1
