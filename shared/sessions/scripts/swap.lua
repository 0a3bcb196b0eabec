-- KEYS: the session, the user's devices. ARGV: the value that is expected, its replacement, ref, hash, milliseconds or ''.
-- Compare and set; '' leaves the time to live. Answers whether it was the expected one.
if field(KEYS[2], ARGV[3]) ~= ARGV[4] or string_at(KEYS[1]) ~= ARGV[1] then
  return 0
end
if ARGV[5] == '' then
  redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[5])
end
return 1
