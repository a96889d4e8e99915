-- unreadable: rows of the list that yield no recipient any more, because the list in the object store has changed, or
-- because a newer version rejects the address. They can never be sent, so they fail.
--
-- fail_unreadable(k, campaign_id, rows, now)
-- k names the keys: campaign, progress, done, failed, unknown, reasons, running. A row that has an end, or may get one,
-- keeps that.
--include finish
local function fail_unreadable(k, campaign_id, rows, now)
  local count = 0
  for _, row in ipairs(rows) do
    if redis.call('GETBIT', k.done, row) == 0 and not redis.call('ZSCORE', k.unknown, row)
        and redis.call('SETBIT', k.failed, row, 1) == 0 then
      redis.call('HSET', k.reasons, row, 'this row of the list yields no usable address any more; it was not sent')
      count = count + 1
    end
  end
  if count > 0 then
    redis.call('HINCRBY', k.progress, 'failed', count)
    complete_if_done(k.campaign, k.progress, k.unknown, k.running, campaign_id, now)
  end
end
