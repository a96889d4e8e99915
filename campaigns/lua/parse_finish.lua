-- parse_finish: records the parsed list in one step; a start asked for meanwhile takes effect now, where the list has what the templates
-- name, as they are now, and somebody to send to.
--
-- KEYS  1 campaign  2 progress  3 parsing  4 running  5 skip  6 index
-- ARGV  1 campaign id  2 generation  3 parser id  4 "ready" or "rejected"  5 reason or ""  6 rows  7 total  8 rejected
--       9 skip bitmap  10 index  11... field, value in turn for the campaign
-- ->    the new status, or "" where this parser is superseded
--include clock
--include columns
--include enqueue
local campaign = KEYS[1]
local state = redis.call('HMGET', campaign, 'status', 'generation', 'parser', 'start_when_ready')
if state[1] ~= 'parsing' or state[2] ~= ARGV[2] or state[3] ~= ARGV[3] then
  return ''
end
local status = ARGV[4]
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('HDEL', campaign, 'parser', 'start_when_ready')
if ARGV[5] == '' then
  redis.call('HDEL', campaign, 'reason')
else
  redis.call('HSET', campaign, 'reason', ARGV[5])
end
redis.call('HSET', KEYS[2], 'rows', ARGV[6], 'total', ARGV[7], 'rejected', ARGV[8], 'parsed_rows', ARGV[6])
for i = 11, #ARGV, 2 do
  redis.call('HSET', campaign, ARGV[i], ARGV[i + 1])
end
if status == 'ready' then
  redis.call('SET', KEYS[5], ARGV[9])
  redis.call('SET', KEYS[6], ARGV[10])
  local complete = note_columns(campaign)
  if state[4] == '1' and complete and tonumber(ARGV[7]) == 0 then
    redis.call('HSET', campaign, 'reason', 'there is nobody to send to: upload a list with at least one valid recipient')
  elseif state[4] == '1' and complete then
    status = 'running'
    redis.call('HSETNX', campaign, 'started_at', now_ms())
    redis.call('SADD', KEYS[4], ARGV[1])
    wake('release')
  end
end
redis.call('HSET', campaign, 'status', status)
return status
