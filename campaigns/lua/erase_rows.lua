-- erase_rows: no row of an erased address is sent any more, and no word about it is kept.
--
-- KEYS  campaign  progress  in_flight  done  failed  unknown  rejected  refeed  reasons  dropped  running  throughput
-- ARGV  campaign_id  list_version  rows...
-- ->    { number of rows that have failed now, number of rows in flight: they get an end within a minute, call again
--       then }; { -1, 0 } where the campaign is gone or has another list
--
-- rows: of the address. Those without an end fail for the reason "erased". One that is unknown stays so: nobody knows
-- whether it was sent, and it cannot be sent again, since its list has no address of it
--include clock
--include finish
--include rows
--include throughput
if redis.call('HGET', campaign, 'list_version') ~= list_version then
  return { -1, 0 }
end
local count, busy = 0, 0
for _, row in ipairs(rows) do
  if redis.call('HEXISTS', reasons, row) == 1 then
    redis.call('HSET', reasons, row, 'erased')
  end
  if redis.call('HEXISTS', dropped, row) == 1 then
    redis.call('HSET', dropped, row, 'erased')
  end
  if redis.call('HEXISTS', in_flight, row) == 1 then
    busy = busy + 1
  elseif not has_end(done, failed, row) and redis.call('GETBIT', rejected, row) == 0
      and not redis.call('ZSCORE', unknown, row) then
    if redis.call('SETBIT', refeed, row, 0) == 1 then
      redis.call('HINCRBY', progress, 'refeed', -1)
    end
    redis.call('HSET', reasons, row, 'erased')
    redis.call('SETBIT', failed, row, 1)
    count = count + 1
  end
end
if count > 0 then
  redis.call('HINCRBY', progress, 'failed', count)
  plot_add(throughput, campaign, now_ms(), 0, count)
  complete_if_done(campaign, progress, unknown, running, campaign_id, now_ms())
end
return { count, busy }
