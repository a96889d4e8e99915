-- parse_progress: how far the parser has come, and its sign of life.
--
-- KEYS  1 campaign  2 progress  3 parsing   ARGV  1 campaign id  2 generation  3 parser id  4 bytes  5 rows  6 reason or ""
-- ->    1, or 0 where this parser is superseded
--include clock
local state = redis.call('HMGET', KEYS[1], 'status', 'generation', 'parser')
if state[1] ~= 'parsing' or state[2] ~= ARGV[2] or state[3] ~= ARGV[3] then
  return 0
end
local now = now_ms()
redis.call('HSET', KEYS[2], 'parsed_bytes', ARGV[4], 'parsed_rows', ARGV[5], 'parser_at', now)
if ARGV[6] ~= '' then
  redis.call('HSET', KEYS[1], 'reason', ARGV[6])
else
  redis.call('HDEL', KEYS[1], 'reason')
end
redis.call('ZADD', KEYS[3], now, ARGV[1])
return 1
