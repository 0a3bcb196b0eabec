-- KEYS: the session, the user's devices. ARGV: the value that is expected, '' for none, ref, hash. Answers whether it was.
if field(KEYS[2], ARGV[2]) ~= ARGV[3] or (string_at(KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
redis.call('UNLINK', KEYS[1])
redis.call('HDEL', KEYS[2], ARGV[2])
return 1
