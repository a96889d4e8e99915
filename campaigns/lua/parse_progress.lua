-- parse_progress: records the parser's progress and its heartbeat.
--
-- KEYS  campaign  progress  parsing
-- ARGV  campaign_id  list_version  parser_id  parsed_bytes:int  parsed_rows:int  reason
-- ->    1, or 0 where this parser is superseded
--
-- reason: why parsing is held up, or ""
--include clock
local state = redis.call('HMGET', campaign, 'status', 'list_version', 'parser')
if state[1] ~= 'parsing' or state[2] ~= list_version or state[3] ~= parser_id then
  return 0
end
local now = now_ms()
redis.call('HSET', progress, 'parsed_bytes', parsed_bytes, 'parsed_rows', parsed_rows, 'parser_at', now)
if reason ~= '' then
  redis.call('HSET', campaign, 'reason', reason)
else
  redis.call('HDEL', campaign, 'reason')
end
redis.call('ZADD', parsing, now, campaign_id)
return 1
