-- decide_unknown: settles rows with an unknown outcome as an operator or the campaign's policy has decided.
--
-- KEYS  campaign  progress  unknown  done  failed  refeed  reasons  running
-- ARGV  campaign_id  list_version  decision  older_than_ms:int  max_rows:int  by  reason
-- ->    number of rows decided, or -1 where the campaign's state does not allow it
--
-- decision: done, failed or resend; older_than_ms: only rows that have been unknown for so long
-- max_rows: the most rows of this call; by: who has decided; reason: why, or ""
--include clock
--include finish
--include history
--include lifecycle
local state = redis.call('HMGET', campaign, 'status', 'list_version')
local now = now_ms()
if state[2] ~= list_version then
  return -1
end
if decision == 'resend' and not is_reopenable(state[1]) then
  return -1
end
local rows = redis.call('ZRANGEBYSCORE', unknown, '-inf', now - older_than_ms, 'LIMIT', 0, max_rows)
for _, row in ipairs(rows) do
  redis.call('ZREM', unknown, row)
  if decision == 'done' then
    redis.call('SETBIT', done, row, 1)
    redis.call('HDEL', reasons, row)
  elseif decision == 'failed' then
    redis.call('SETBIT', failed, row, 1)
    redis.call('HSET', reasons, row, 'outcome unknown; decided to be failed')
  else
    -- its reason stays: what its last attempt left, and the mark that there was one
    redis.call('SETBIT', refeed, row, 1)
  end
end
if #rows > 0 then
  note(campaign, now, by, 'unknown_decided', { decision = decision, count = #rows }, reason)
  redis.call('HINCRBY', progress, decision == 'resend' and 'refeed' or decision, #rows)
  if decision == 'resend' and state[1] == 'completed' then
    reopen(campaign, running, campaign_id, by)
  end
end
complete_if_done(campaign, progress, unknown, running, campaign_id, now)
return #rows
