-- appended: the end of each script that appends recipients to a campaign's ready ones.
-- For scripts that declare campaign_id, campaign, progress, ready, done, failed, unknown, reasons and running.
--
-- $progress  hash: ready_bytes; prefetch_asked
--include clock
--include enqueue
--include unreadable

-- after_append(status, count, bytes, rows): count recipients of this many bytes have been appended, and the rows yield
-- none any more -> { ready recipients, their bytes, status }
local function after_append(status, count, bytes, rows)
  redis.call('HSET', progress, 'prefetch_asked', now_ms())
  local total = redis.call('LLEN', ready)
  if status == 'running' then
    redis.call('HDEL', campaign, 'reason')
    if count > 0 and total == count then
      notify('dispatch')
    end
  end
  local k = { campaign = campaign, progress = progress, done = done, failed = failed, unknown = unknown,
    reasons = reasons, running = running }
  fail_unreadable(k, campaign_id, rows, now_ms())
  return { total, redis.call('HINCRBY', progress, 'ready_bytes', bytes), status }
end
