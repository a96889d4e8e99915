-- put_campaign: makes a campaign, or changes its content where its state allows that.
--
-- KEYS  1 campaign  2 campaigns
-- ARGV  1 campaign id  2 states that allow a change, "draft,ready"  3 encoded content  4 tpm for a new campaign
--       5 names that the templates take from the list, JSON  6... field, value in turn
-- ->    "created", "changed", "same", or the state that does not allow it
--include clock
--include columns
local key = KEYS[1]
local before = redis.call('HMGET', key, 'status', 'content')
if before[2] == ARGV[3] then
  redis.call('HSETNX', key, 'template_names', ARGV[5])
  return 'same'
end
if before[1] and not string.find(',' .. ARGV[2] .. ',', ',' .. before[1] .. ',', 1, true) then
  return before[1]
end
if not before[1] then
  local now = now_ms()
  redis.call('HSET', key, 'status', 'draft', 'created_at', now, 'tpm', ARGV[4])
  redis.call('ZADD', KEYS[2], now, ARGV[1])
end
redis.call('HSET', key, 'content', ARGV[3], 'template_names', ARGV[5])
if before[1] == 'ready' then
  note_columns(key)
end
for i = 6, #ARGV, 2 do
  redis.call('HSET', key, ARGV[i], ARGV[i + 1])
end
return before[1] and 'changed' or 'created'
