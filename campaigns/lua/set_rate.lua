-- set_rate: sets a campaign's limit.   KEYS  1 campaign   ARGV  1 transactions per minute  2 campaign id
-- -> 1, or 0 where there is no such campaign
--include tell
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
redis.call('HSET', KEYS[1], 'tpm', ARGV[1])
tell(ARGV[2])
return 1
