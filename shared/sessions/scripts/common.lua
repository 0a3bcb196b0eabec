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

-- The moment until which sessions that began are void: of the organisation, and of the user.
local function voids(key, user)
  return tonumber(field(key, 'all') or 0), tonumber(field(key, user) or 0)
end
