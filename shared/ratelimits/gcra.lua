-- The generic cell rate algorithm for several limits at once: all pass and are charged, or none is.
-- KEYS: one for each limit, its theoretical arrival time in microseconds; then those whose values are looked up on the way.
-- ARGV: now in microseconds ('' takes the server's, one clock for all instances), then for each limit: interval in microseconds, burst.
-- Answers: allowed, then for each limit: remaining, retry after, reset after (microseconds); then the values that were looked up.
local now = tonumber(ARGV[1])
-- The server forgets by its own clock: by another one a state must outlive what that one says.
local grace = now and 60000 or 1
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end
local limits = (#ARGV - 1) / 2

local values = redis.call('MGET', unpack(KEYS))
local arrival, allowed = {}, 1
for i = 1, limits do
  local interval, burst = tonumber(ARGV[2 * i]), tonumber(ARGV[1 + 2 * i])
  arrival[i] = math.max(tonumber(values[i] or 0), now)
  local most = now + burst * interval
  if arrival[i] > most then
    -- Nothing was charged so far ahead: the clock was set back. As if the burst had just been used, not refused for as long as that.
    arrival[i] = most
    redis.call('SET', KEYS[i], string.format('%.0f', most), 'PX', math.ceil((most - now) / 1000) + grace)
  end
  if arrival[i] + interval - burst * interval > now then
    allowed = 0
  end
end

local answer = {allowed}
for i = 1, limits do
  local interval, burst = tonumber(ARGV[2 * i]), tonumber(ARGV[1 + 2 * i])
  local next_arrival = arrival[i]
  if allowed == 1 then
    next_arrival = arrival[i] + interval
    redis.call('SET', KEYS[i], string.format('%.0f', next_arrival), 'PX', math.ceil((next_arrival - now) / 1000) + grace)
  end
  local ahead = next_arrival - now
  answer[#answer + 1] = math.max(0, math.floor((burst * interval - ahead) / interval))
  answer[#answer + 1] = math.max(0, arrival[i] + interval - burst * interval - now)
  answer[#answer + 1] = ahead
end
for i = limits + 1, #KEYS do
  answer[#answer + 1] = values[i]
end
return answer
