-- KEYS: the user's devices. ARGV: the prefix, ref. Answers the device's hash and value ('' where that is gone); nothing for no device.
local hash = field(KEYS[1], ARGV[2])
if not hash then
  return false
end
return {hash, string_at(ARGV[1] .. hash) or ''}
