-- feed_again: takes rows that were put back (lost, retried, resent) onto the waiting side, in one step with their
-- marks. Those that yield no recipient any more fail.
--
-- KEYS  campaign  progress  waiting  again  done  failed  unknown  reasons  running
-- ARGV  campaign_id  generation  unfeedable...  recipients(row recipient)...
-- ->    as feed
--
-- unfeedable: rows that fail
--
-- $again  bitmap by row: to be fed once more; progress.again counts its bits
--include clock
--include enqueue
--include under_way
--include rows
--include unfeedable
local state = redis.call('HMGET', campaign, 'status', 'generation')
if state[2] ~= generation or not is_under_way(state[1]) then
  return { -1 }
end
-- takes a row's mark away -> whether it had one
local function unmark(row)
  if redis.call('SETBIT', again, row, 0) == 0 then
    return false
  end
  redis.call('HINCRBY', progress, 'again', -1)
  return true
end
local bytes, fed, failing = 0, 0, {}
for _, row in ipairs(unfeedable) do
  if unmark(row) then
    failing[#failing + 1] = row
  end
end
for row, recipient in recipients() do
  if unmark(row) and not has_end(done, failed, row) then
    redis.call('RPUSH', waiting, recipient)
    bytes, fed = bytes + #recipient, fed + 1
  end
end
redis.call('HSET', progress, 'feed_asked', now_ms())
local waits = redis.call('LLEN', waiting)
if state[1] == 'running' then
  redis.call('HDEL', campaign, 'reason')
  if fed > 0 and waits == fed then
    wake('release')
  end
end
local k = { campaign = campaign, progress = progress, done = done, failed = failed, unknown = unknown,
  reasons = reasons, running = running }
fail_unfeedable(k, campaign_id, failing, now_ms())
return { waits, redis.call('HINCRBY', progress, 'waiting_bytes', bytes), state[1] }
