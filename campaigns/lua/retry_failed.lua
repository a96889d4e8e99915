-- retry_failed: makes all failed rows pending again, to be refed; a completed campaign runs again.
--
-- KEYS  campaign  progress  failed  refeed  dead  running
-- ARGV  campaign_id  list_version  by
-- ->    number of rows, or -1 where the campaign's state does not allow it
--
-- Each row keeps its reason, which also marks that it was attempted. The dead letters so far are ignored from now on.
-- by: who has decided it
--include clock
--include history
--include lifecycle
local state = redis.call('HMGET', campaign, 'status', 'list_version')
if state[2] ~= list_version or not is_reopenable(state[1]) then
  return -1
end
local count = redis.call('BITCOUNT', failed)
if count == 0 then
  return 0
end
redis.call('BITOP', 'OR', refeed, refeed, failed)
redis.call('DEL', failed)
redis.call('HSET', progress, 'failed', 0, 'refeed', redis.call('BITCOUNT', refeed), 'prefetch_asked', 0,
  'retried_at', now_ms())
redis.call('DEL', dead)
note(campaign, now_ms(), by, 'failed_retried', { count = count })
if state[1] == 'completed' then
  reopen(campaign, running, campaign_id, by)
end
return count
