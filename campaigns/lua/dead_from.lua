-- dead_from: from which time on dead letters have to be read.
--
-- KEYS  1 dead letters   ARGV  1 how far to go back (ms)  2 how often (ms)   -> milliseconds since 1970
--
-- $dead_letters  hash: read_to: the time of the last one read (ms); back_at: when a pass has last gone back behind that (ms)
--include clock
local read = redis.call('HMGET', KEYS[1], 'read_to', 'back_at')
local read_to, now = tonumber(read[1]) or 0, now_ms()
if now - (tonumber(read[2]) or 0) < tonumber(ARGV[2]) then
  return read_to
end
redis.call('HSET', KEYS[1], 'back_at', now)
return math.max(0, read_to - tonumber(ARGV[1]))
