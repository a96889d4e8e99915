-- dead_from: from which time on dead letters have to be read.
--
-- KEYS  dead_letters
-- ARGV  back_ms:int  every_ms:int
-- ->    milliseconds since 1970
--
-- back_ms: how far to go back; every_ms: how often
-- $dead_letters  hash: read_to: the time of the last one read (ms); back_at: when a pass has last gone back behind that (ms)
--include clock
local read = redis.call('HMGET', dead_letters, 'read_to', 'back_at')
local read_to, now = tonumber(read[1]) or 0, now_ms()
if now - (tonumber(read[2]) or 0) < every_ms then
  return read_to
end
redis.call('HSET', dead_letters, 'back_at', now)
return math.max(0, read_to - back_ms)
