-- KEYS: the user's devices, the organisation's void moments, its state. ARGV: now in microseconds or '', the prefix, the user.
-- Answers now, the latest void moment, and for each session: hash, value, milliseconds until it is idle too long. Forgets what is gone.
local stale = untold(KEYS[3])
if stale then
  return stale
end
local all, own = voids(KEYS[2], ARGV[3])
local answer = {text(now_or(ARGV[1])), text(math.max(all, own))}
local devices = redis.call('HGETALL', KEYS[1])
for i = 1, #devices, 2 do
  local key = ARGV[2] .. devices[i + 1]
  local value = string_at(key)
  if value then
    answer[#answer + 1] = devices[i + 1]
    answer[#answer + 1] = value
    answer[#answer + 1] = redis.call('PTTL', key)
  else
    redis.call('HDEL', KEYS[1], devices[i])
  end
end
return answer
