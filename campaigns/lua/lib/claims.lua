-- claims: rows in flight that no worker will settle.
--
-- $in_flight   hash: see claim; a name of an account never is a number
-- $workers  zset: worker id by its last heartbeat (ms)
-- $dispatcher  hash: away_until: no worker is taken for dead before (ms), see lease
--
-- expire_claims(k, campaign_id, lost_ms, now) -> rows in flight that were looked at, rows that are unknown now
--
-- A row becomes unknown if its worker is dead, or if its worker is alive but has not settled it for lost_ms: the
-- provider may or may not have the email. A row that is final already (a resent row whose first outcome came late)
-- only loses its claim. An outcome that still comes later is recorded.
-- k names the keys: campaign, progress, in_flight, unknown, running, workers, reasons, done, failed,
-- dispatcher.
--include claim_times
--include finish
--include rows
local function expire_claims(k, campaign_id, lost_ms, now)
  local dead_ms = WORKER_DEAD_MS
  -- right after Redis was away all heartbeats are old, and workers hold outcomes that they could not settle
  if now < (tonumber(redis.call('HGET', k.dispatcher, 'away_until')) or 0) then
    dead_ms, lost_ms = math.huge, 4 * lost_ms
  end
  local looked, expired, heard = 0, 0, {}
  local in_flight = redis.call('HGETALL', k.in_flight)
  for i = 1, #in_flight, 2 do
    local row, worker, since = in_flight[i], string.match(in_flight[i + 1], '^(.*)|(%d+)|')
    since = tonumber(since)
    heard[worker] = heard[worker] or tonumber(redis.call('ZSCORE', k.workers, worker) or 0)
    -- a claim is a sign of life too: a worker that has just started makes its first one before its first round
    local dead = now - math.max(since, heard[worker]) > dead_ms
    looked = looked + 1
    if dead or now - since > lost_ms then
      if not has_end(k.done, k.failed, row) then
        redis.call('ZADD', k.unknown, now, row)
        local why = dead and 'the worker died while sending' or 'the worker has not told the outcome in time'
        redis.call('HSET', k.reasons, row, why .. '; the provider may or may not have taken it')
        expired = expired + 1
      end
      -- last: where Redis refuses the above, as one of the keys holds what it should not, the claim keeps the row from
      -- being sent again
      redis.call('HDEL', k.in_flight, row)
    end
  end
  complete_if_done(k.campaign, k.progress, k.unknown, k.running, campaign_id, now)
  return looked, expired
end
