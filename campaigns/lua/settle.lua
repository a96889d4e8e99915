-- settle: records what became of rows that were claimed.
--
-- KEYS  campaign  progress  flight  done  failed  unknown  reasons  deferred  running  gate  failing  own_gate
--       own_failing
-- ARGV  campaign_id  generation  worker_id  accepted...  others(row kind reason wait_ms:int? entry nonce)...
-- ->    { "1" where the campaign has just been completed, verdict of the accepted rows, verdict of each other one... };
--       a verdict is one of
--       done, failed, unknown   recorded as such
--       retry    may be tried again at the cost of an attempt: Dramatiq's backoff
--       defer    will be tried again without one: put back on the waiting side here
--       gone     the campaign or the claim is no more: nothing was recorded
--
-- accepted: rows; entry: its deferred entry, for kinds that may be tried again; nonce: of its claim, or ""
--
-- An accepted mail is recorded even where the claim is gone: what happened, happened. Any other outcome that is told
-- once more, as the answer was lost, finds its claim gone, and leaves alone a newer one that the same worker has got
-- meanwhile.
--include clock
--include finish
--include under_way
--include pause
--include rows
--include claim
--include key_types
--include accepted
--include trouble

--- how long an outage costs no attempt (ms)
local OUTAGE_PATIENCE_MS = 24 * 3600 * 1000

local now = now_ms()
local verdicts = { '0', 'done' }

if redis.call('HGET', campaign, 'generation') ~= generation then
  verdicts[2] = 'gone'
  for _ in others() do
    verdicts[#verdicts + 1] = 'gone'
  end
  return verdicts
end

-- a claim that is gone without an outcome would be sent again
check_key_types({ progress, flight, reasons, gate, own_gate }, { done, failed }, { unknown, failing, own_failing },
  { deferred })

-- whether the row is still ours to decide: claimed by this worker, or held as unknown meanwhile
local function release_claim(row, nonce)
  if is_claim_of(redis.call('HGET', flight, row), worker_id, nonce) then
    redis.call('HDEL', flight, row)
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
  local whose = gate_in_trouble(row, now)
  if whose then
    close_gate(whose, now, nil, reason)
  end
  return 'unknown'
end

local function pause_account(reason)
  if redis.call('HGET', campaign, 'status') == 'running' then
    pause_for(campaign, running, campaign_id, reason)
  end
end

-- closes the gate whose trouble a failure is -> whether the failure costs an attempt. While the provider is well for
-- others it does, as it does where it is the recipient's own
local function close_for(row, kind, reason, wait_ms)
  local whose = (kind == 'throttled' or kind == 'unreachable') and gate or gate_in_trouble(row, now)
  if whose then
    close_gate(whose, now, wait_ms, reason)
  end
  if whose ~= gate then
    return true
  end
  return kind ~= 'throttled' and now - tonumber(redis.call('HGET', gate, 'since')) > OUTAGE_PATIENCE_MS
end

-- a failure that may pass
local function record_transient(row, kind, reason, wait_ms, entry)
  redis.call('HINCRBY', progress, 'retries', 1)
  redis.call('HSET', reasons, row, reason)
  if kind == 'refused' then
    pause_account(reason)
  elseif close_for(row, kind, reason, wait_ms) then
    return 'retry'
  end
  redis.call('RPUSH', deferred, entry)
  return 'defer'
end

local function record(row, kind, reason, wait_ms, entry, nonce)
  if not release_claim(row, nonce) or has_end(done, failed, row) then
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
    redis.call('RPUSH', deferred, entry)
    return 'defer'
  end
  return record_transient(row, kind, reason, wait_ms, entry)
end

if #accepted > 0 then
  record_accepted(accepted)
  count_passes(now, #accepted)
end
local rejected = 0
for row, kind, reason, wait_ms, entry, nonce in others() do
  local verdict = record(row, kind, reason, wait_ms, entry, nonce)
  verdicts[#verdicts + 1] = verdict
  rejected = rejected + (verdict == 'failed' and 1 or 0)
end
if rejected > 0 then
  count_passes(now, rejected)
end
if #accepted + rejected > 0 then
  open_gates(now)
end
if complete_if_done(campaign, progress, unknown, running, campaign_id, now) then
  verdicts[1] = '1'
end
return verdicts
