-- set_rate: sets a campaign's limit.   KEYS  1 campaign   ARGV  1 transactions per minute
-- -> 1, or 0 where there is no such campaign
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
redis.call('HSET', KEYS[1], 'tpm', ARGV[1])
return 1
