-- KEYS: the session. ARGV: now in microseconds or '', the prefix, the session's hash.
-- Answers now, the value, and until when sessions are void for the organisation and for the user; nothing for no session.
local value = string_at(KEYS[1])
if not value then
  return false
end
local state, org, user, ref = value:sub(2, 2), value:sub(19, 34), value:sub(35, 50), value:sub(51, 66)
local stale = untold(ARGV[2] .. 'state:' .. org)
if stale then
  return stale
end
if state ~= 'G' then
  -- Its device must not have been revoked, and of a device's values only one is live.
  local holder = field(ARGV[2] .. 'devices:' .. org .. user, ref)
  if not holder or (state ~= 'S' and holder ~= ARGV[3]) then
    return false
  end
end
if state == 'L' then
  local a, b, c, d = value:byte(67, 70)
  local idle = ((a * 256 + b) * 256 + c) * 256 + d
  if idle < 1 or idle > MOST_IDLE then
    return false
  end
  redis.call('GETEX', KEYS[1], 'PX', idle * 1000)
end
local all, own = voids(ARGV[2] .. 'void:' .. org, user)
return {text(now_or(ARGV[1])), value, text(all), text(own)}
