-- parse_claim: makes this parser the one that parses the list, unless another one does that has given a sign of life lately: a message
-- that waited long in its queue was sent once more. One that has been silent finds itself superseded.
--
-- KEYS  1 campaign  2 progress  3 parsing
-- ARGV  1 campaign id  2 generation  3 parser id  4 silence after which a parser is lost (ms)
-- ->    1, or 0 where the list is another's
--
-- $campaign  hash: parser    $progress  hash: parser_at: its last sign of life (ms); parsed_bytes, parsed_rows
--include clock
local state = redis.call('HMGET', KEYS[1], 'status', 'generation', 'parser')
if state[1] ~= 'parsing' or state[2] ~= ARGV[2] then
  return 0
end
local now = now_ms()
local seen = tonumber(redis.call('HGET', KEYS[2], 'parser_at')) or 0
if state[3] and state[3] ~= ARGV[3] and now - seen < tonumber(ARGV[4]) then
  return 0
end
redis.call('HSET', KEYS[1], 'parser', ARGV[3])
redis.call('HSET', KEYS[2], 'parsed_bytes', 0, 'parsed_rows', 0, 'parser_at', now)
redis.call('ZADD', KEYS[3], now, ARGV[1])
return 1
