-- dead_from: the time from which dead letters must be read.
--
-- KEYS  dead_letters
-- ->    milliseconds since 1970
--
-- $dead_letters  hash: read_to: the time of the last one read (ms); back_at: when a pass has last gone back behind that
--                (ms)
--include clock

--- workers stamp dead letters by clocks of their own. So a pass goes back behind what was read, by so much and so often
--- (ms); the others begin where the one before has ended
local BACK_MS = 60000
local BACK_EVERY_MS = 30000

local read = redis.call('HMGET', dead_letters, 'read_to', 'back_at')
local read_to, now = tonumber(read[1]) or 0, now_ms()
if now - (tonumber(read[2]) or 0) < BACK_EVERY_MS then
  return read_to
end
redis.call('HSET', dead_letters, 'back_at', now)
return math.max(0, read_to - BACK_MS)
