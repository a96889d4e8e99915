-- set_rate: sets a campaign's limit, in transactions per minute.
--
-- KEYS  campaign
-- ARGV  tpm:int
-- ->    1, or 0 where there is no such campaign
if redis.call('EXISTS', campaign) == 0 then
  return 0
end
redis.call('HSET', campaign, 'tpm', tpm)
return 1
