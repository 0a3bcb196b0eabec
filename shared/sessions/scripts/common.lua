-- What the scripts share: it is put before each of them.
-- Every key of one organisation's sessions begins with the same prefix, session:{place}:, so that a script finds all of them in one slot.
-- A value's clear part: version 1, state 1, key id 16, organisation 16, user 16, ref 16, idle seconds 4 bytes (sealing.py).
local CLEAR = 70
local MOST_IDLE = 31 * 86400

local function now_or(given)
  if given ~= '' then
    return tonumber(given)
  end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function text(number)
  return string.format('%.0f', number)
end

-- What is no string, or no such hash, is as if it were not there: nothing of ours writes it.
local function string_at(key)
  local value = redis.pcall('GET', key)
  return type(value) == 'string' and #value >= CLEAR and value or false
end

local function field(key, name)
  local value = redis.pcall('HGET', key, name)
  return type(value) == 'string' and value or false
end

-- Which history the server's data have: another one after each start, and after each promotion of a replica.
local function history()
  local found = redis.call('INFO', 'replication'):match('master_replid:(%x+)')
  return found or error('INFO names no master_replid, without which nobody knows whether what was revoked is known here')
end

-- What a script answers while the server's data may be from before a revocation: what the directory has was not told to this history.
-- KEY: the organisation's state, which ends with the organisation.
local function untold(key)
  local now = history()
  return field(key, 'told') ~= now and {'untold', now, key:sub(-16)}
end

-- The latest beginning of a session of the organisation is kept, so that a revocation is after it whatever the clock says.
local function begun(key, moment)
  if tonumber(field(key, 'latest') or 0) < tonumber(moment) then
    redis.call('HSET', key, 'latest', moment)
  end
end

-- The moment until which sessions that began are void: of the organisation, and of the user.
local function voids(key, user)
  return tonumber(field(key, 'all') or 0), tonumber(field(key, user) or 0)
end
