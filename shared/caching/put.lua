-- KEYS: the entry. ARGV: version, the whole entry `version:kind:value`, milliseconds. Answers whether it was kept: not over a newer one.
local known = redis.call('GET', KEYS[1])
local version = known and tonumber(string.match(known, '^(%d+):'))
if version and version > tonumber(ARGV[1]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
