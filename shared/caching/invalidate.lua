-- KEYS: the entry. ARGV: version, milliseconds, channel, message. Leaves the version, so that what is older comes no more, and tells everybody.
local known = redis.call('GET', KEYS[1])
local version = known and tonumber(string.match(known, '^(%d+):'))
if not version or version < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1] .. ':-:', 'PX', ARGV[2])
end
redis.call('PUBLISH', ARGV[3], ARGV[4])
return 1
