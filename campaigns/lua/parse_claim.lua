-- parse_claim: makes this parser the one that parses the list; one before it finds itself superseded.
--
-- KEYS  1 campaign  2 progress  3 parsing   ARGV  1 campaign id  2 generation  3 parser id   -> 1, or 0 where the list is another's
--include clock
local state = redis.call('HMGET', KEYS[1], 'status', 'generation')
if state[1] ~= 'parsing' or state[2] ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], 'parser', ARGV[3])
redis.call('HSET', KEYS[2], 'parsed_bytes', 0, 'parsed_rows', 0)
redis.call('ZADD', KEYS[3], now_ms(), ARGV[1])
return 1
