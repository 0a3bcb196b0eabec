-- Tell a server what the directory has: from now on nothing of it lives here. Only to the history that was asked for.
-- KEYS: the organisation's state, its void moments.
-- ARGV: the history, the prefix, seconds that a device is barred, whether this is all of it ('' or 1), then kind, subject, moment of each.
-- Answers whether it was told.
if history() ~= ARGV[1] then
  return 0
end
local prefix, org = ARGV[2], KEYS[1]:sub(-16)
for i = 5, #ARGV, 3 do
  local kind, subject = ARGV[i], ARGV[i + 1]
  if kind == 'void' then
    if tonumber(field(KEYS[2], subject) or 0) < tonumber(ARGV[i + 2]) then
      redis.call('HSET', KEYS[2], subject, ARGV[i + 2])
    end
  elseif kind == 'device' then
    local devices, ref = prefix .. 'devices:' .. org .. subject:sub(1, 16), subject:sub(17)
    local hash = field(devices, ref)
    if hash then
      redis.call('UNLINK', prefix .. hash)
      redis.call('HDEL', devices, ref)
    end
    redis.call('SET', prefix .. 'revoked:' .. ref, '1', 'EX', ARGV[3])
  else
    local value = string_at(prefix .. subject)
    local state = value and value:sub(2, 2)
    if state == 'L' or state == 'M' then  -- a tombstone ends by itself
      redis.call('UNLINK', prefix .. subject)
    end
  end
end
if ARGV[4] ~= '' then
  redis.call('HSET', KEYS[1], 'told', ARGV[1])
end
return 1
