-- settle: records the outcomes of claimed rows.
--
-- KEYS  campaign  progress  in_flight  done  failed  unknown  reasons  requeued  running  breaker  failing  own_breaker
--       own_failing  throughput
-- ARGV  campaign_id  list_version  worker_id  account  fingerprint  has_fallback:flag  key_prefix
--       accepted...  others(row kind reason wait_ms:int? entry claim_id)...
-- ->    { "1" where the campaign has just been completed, verdict of the accepted rows, verdict of each other one... };
--       a verdict is one of
--       done, failed, unknown   recorded as such
--       retry    may be tried again at the cost of an attempt: Dramatiq's backoff
--       requeue  will be tried again without one: it is put back here
--       gone     the campaign or the claim is no more: nothing was recorded
--
-- account: through which the rows went; fingerprint: of its credentials; has_fallback: another one can send instead
-- accepted: rows; entry: as $requeued holds it, if the kind may be tried again; claim_id: of its claim, or ""
--
-- An accepted email is recorded even if its claim is gone, because the provider has the email. Any other outcome that
-- is repeated because the response was lost finds its claim gone, and does not touch a newer claim of the same worker.
--include clock
--include finish
--include under_way
--include rows
--include claim
--include key_types
--include accepted
--include throughput
--include refusals
--include trouble

local now = now_ms()
local verdicts = { '0', 'done' }

local state = redis.call('HMGET', campaign, 'list_version', 'proven')
if state[1] ~= list_version then
  verdicts[2] = 'gone'
  for _ in others() do
    verdicts[#verdicts + 1] = 'gone'
  end
  return verdicts
end

-- a claim that is gone without an outcome would be sent again
check_key_types({ progress, in_flight, reasons, breaker, own_breaker }, { done, failed, throughput },
  { unknown, failing, own_failing }, { requeued })

-- whether the row is still ours to decide: claimed by this worker, or held as unknown meanwhile
local function release_claim(row, claim_id)
  if is_claim_of(redis.call('HGET', in_flight, row), worker_id, claim_id) then
    redis.call('HDEL', in_flight, row)
    return true
  end
  return redis.call('ZSCORE', unknown, row) ~= false
end

local function record_rejected(row, reason)
  redis.call('ZREM', unknown, row)
  redis.call('SETBIT', failed, row, 1)
  redis.call('HINCRBY', progress, 'failed', 1)
  redis.call('HSET', reasons, row, reason)
  return 'failed'
end

local function record_unknown(row, reason)
  redis.call('ZADD', unknown, now, row)
  redis.call('HSET', reasons, row, reason)
  local which = breaker_in_trouble(row, now)
  if which then
    trip_breaker(which, now, nil, reason)
  else
    probes_unanswered()
  end
  return 'unknown'
end

-- a failure that may pass
local function record_transient(row, kind, reason, wait_ms, entry)
  redis.call('HINCRBY', progress, 'retries', 1)
  redis.call('HSET', reasons, row, reason)
  if kind == 'refused' then
    handle_refusal(now, reason)
  elseif kind == 'unusable' then
    probes_unanswered()
    pause_if_running(campaign, campaign_id, reason)
  elseif trip_for(row, kind, now, reason, wait_ms) then
    return 'retry'
  end
  redis.call('RPUSH', requeued, entry)
  return 'requeue'
end

local function record(row, kind, reason, wait_ms, entry, claim_id)
  if not release_claim(row, claim_id) or has_end(done, failed, row) then
    return 'gone'
  end
  if kind == 'rejected' then
    return record_rejected(row, reason)
  end
  if kind == 'unknown' then
    return record_unknown(row, reason)
  end
  if not is_under_way(redis.call('HGET', campaign, 'status')) then
    return 'gone'
  end
  -- where its claim was given up meanwhile: what is certain now is that it was not sent
  redis.call('ZREM', unknown, row)
  if kind == 'not_tried' then
    probes_unanswered()
    redis.call('RPUSH', requeued, entry)
    return 'requeue'
  end
  return record_transient(row, kind, reason, wait_ms, entry)
end

local new, rejected = 0, 0
if #accepted > 0 then
  new = record_accepted(accepted)
  count_successes(now, #accepted)
end
for row, kind, reason, wait_ms, entry, claim_id in others() do
  local verdict = record(row, kind, reason, wait_ms, entry, claim_id)
  verdicts[#verdicts + 1] = verdict
  rejected = rejected + (verdict == 'failed' and 1 or 0)
end
if rejected > 0 then
  count_successes(now, rejected)
end
if #accepted + rejected > 0 then
  close_breakers(now, state[2])
  plot_add(throughput, campaign, now, new, rejected)
end
if complete_if_done(campaign, progress, unknown, running, campaign_id, now) then
  verdicts[1] = '1'
end
return verdicts
