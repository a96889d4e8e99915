-- parse_claim: makes this parser the one that parses the list, unless another parser sent a heartbeat recently. That
-- happens if a message waited so long in its queue that it was sent again. A parser without recent heartbeats is
-- superseded.
--
-- KEYS  campaign  progress  parsing
-- ARGV  campaign_id  list_version  parser_id
-- ->    1, or 0 where the list is another's
--
-- $campaign  hash: parser    $progress  hash: parser_at: its last sign of life (ms); parsed_bytes, parsed_rows
--include clock
--include parser_life
local state = redis.call('HMGET', campaign, 'status', 'list_version', 'parser')
if state[1] ~= 'parsing' or state[2] ~= list_version then
  return 0
end
local now = now_ms()
local seen = tonumber(redis.call('HGET', progress, 'parser_at')) or 0
if state[3] and state[3] ~= parser_id and now - seen < PARSER_LOST_MS then
  return 0
end
redis.call('HSET', campaign, 'parser', parser_id)
redis.call('HSET', progress, 'parsed_bytes', 0, 'parsed_rows', 0, 'parser_at', now)
redis.call('ZADD', parsing, now, campaign_id)
return 1
