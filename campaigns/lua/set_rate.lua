-- set_rate: sets a campaign's limit, in transactions per minute.
--
-- KEYS  campaign
-- ARGV  tpm:int  by
-- ->    1, or 0 where there is no such campaign
--
-- by: who sets it
--include clock
--include history
if redis.call('EXISTS', campaign) == 0 then
  return 0
end
note_change(campaign, now_ms(), by, 'tpm', tpm)
redis.call('HSET', campaign, 'tpm', tpm)
return 1
