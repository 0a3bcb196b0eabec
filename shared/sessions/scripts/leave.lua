-- The last step of a move, in the region that it leaves.
-- KEYS: the session, the user's devices. ARGV: the value that is expected, its tombstone, the tombstone's milliseconds, ref, hash.
if field(KEYS[2], ARGV[4]) ~= ARGV[5] or string_at(KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('HDEL', KEYS[2], ARGV[4])
return 1
