-- settle: records what became of rows that were claimed.
--
-- KEYS  campaign  progress  flight  done  failed  unknown  reasons  deferred  running  gate  failing  own_gate
--       own_failing
-- ARGV  campaign_id  generation  worker_id  base_ms:int  max_ms:int  patience_ms:int  accepted...
--       others(row kind reason wait_ms:int? entry nonce)...
-- ->    { "1" where the campaign has just been completed, verdict of the accepted rows, verdict of each other one... }, one of
--       done, failed, unknown   recorded as such
--       retry    may be tried again at the cost of an attempt: Dramatiq's backoff
--       defer    will be tried again without one: put back on the waiting side here
--       gone     the campaign or the claim is no more: nothing was recorded
--
-- base_ms, max_ms: the shortest and the longest block; patience_ms: with an outage; accepted: rows
-- entry: its deferred entry, for kinds that may be tried again; nonce: of its claim, or ""
--
-- An accepted mail is recorded even where the claim is gone: what happened, happened. Any other outcome that is told once more, as the
-- answer was lost, finds its claim gone, and leaves alone a newer one that the same worker has got meanwhile.
--include clock
--include gate
--include finish
--include lifecycle
--include rows

local now = now_ms()
local verdicts = { '0', 'done' }
local passed = #accepted

if redis.call('HGET', campaign, 'generation') ~= generation then
  verdicts[2] = 'gone'
  for _ in others() do
    verdicts[#verdicts + 1] = 'gone'
  end
  return verdicts
end

-- a script that is refused half-way keeps what it has written, and a claim that is gone without an outcome would be sent again. So
-- nothing is written unless every key holds what it should
for _, hash in ipairs({ progress, flight, reasons, gate, own_gate }) do
  redis.call('HLEN', hash)
end
for _, bitmap in ipairs({ done, failed }) do
  redis.call('GETBIT', bitmap, 0)
end
for _, sorted in ipairs({ unknown, failing, own_failing }) do
  redis.call('ZCARD', sorted)
end
redis.call('LLEN', deferred)

local function is_ours(claim, nonce)
  return claim and string.sub(claim, 1, #worker_id + 1) == worker_id .. '|' and (nonce == '' or string.sub(claim, -#nonce) == nonce)
end

-- whether the row is still ours to decide: claimed by this worker, or held as unknown meanwhile
local function release_claim(row, nonce)
  if is_ours(redis.call('HGET', flight, row), nonce) then
    redis.call('HDEL', flight, row)
    return true
  end
  return redis.call('ZSCORE', unknown, row) ~= false
end

-- sets a bit of each row -> how many of them had the other value
local function set_bits(bitmap, rows, value)
  local command, changed = {}, 0
  for _, row in ipairs(rows) do
    command[#command + 1] = 'SET'
    command[#command + 1] = 'u1'
    command[#command + 1] = row
    command[#command + 1] = value
  end
  for _, before in ipairs(redis.call('BITFIELD', bitmap, unpack(command))) do
    if before ~= value then
      changed = changed + 1
    end
  end
  return changed
end

-- all that were accepted, in a few commands: this is what nearly every call is about
local function record_accepted(rows)
  local ours = {}
  for i, claim in ipairs(redis.call('HMGET', flight, unpack(rows))) do
    if is_ours(claim, '') then
      ours[#ours + 1] = rows[i]
    end
  end
  if #ours > 0 then
    redis.call('HDEL', flight, unpack(ours))
  end
  redis.call('ZREM', unknown, unpack(rows))
  redis.call('HDEL', reasons, unpack(rows))
  redis.call('HINCRBY', progress, 'done', set_bits(done, rows, 1))
  if redis.call('EXISTS', failed) == 1 then
    redis.call('HINCRBY', progress, 'failed', -set_bits(failed, rows, 0))
  end
end

local function record_failed(row, reason)
  redis.call('ZREM', unknown, row)
  redis.call('SETBIT', failed, row, 1)
  redis.call('HINCRBY', progress, 'failed', 1)
  redis.call('HSET', reasons, row, reason)
  return 'failed'
end

local function pause_account(reason)
  if redis.call('HGET', campaign, 'status') == 'running' then
    pause_for(campaign, running, campaign_id, reason)
  end
end

-- whose trouble a failure is -> its gate, or nil: the recipient's own
local function troubled(row)
  local everybodys = gate_troubled(gate, failing, now, campaign_id .. ':' .. row)
  local own = gate_troubled(own_gate, own_failing, now, row)
  if own and gate_others_pass(gate, failing, own_gate, own_failing, now, campaign_id) then
    return own_gate
  end
  return (own or everybodys) and gate or nil
end

-- closes the gate whose trouble it is, for a while; a probe of the other one has told nothing about that
local function close(whose, wait_ms, reason)
  gate_close(whose, now, wait_ms, base_ms, max_ms, reason)
  gate_probed(whose == gate and own_gate or gate)
end

-- a failure that may pass. While the provider is well for others it costs an attempt, as it does where it is the recipient's own
local function record_transient(row, kind, reason, wait_ms, entry)
  redis.call('HINCRBY', progress, 'retries', 1)
  redis.call('HSET', reasons, row, reason)
  local costs_attempt = false
  if kind == 'refused' then
    pause_account(reason)
  else
    local whose = (kind == 'throttled' or kind == 'unreachable') and gate or troubled(row)
    if whose then
      close(whose, wait_ms, reason)
    end
    if whose == gate then
      costs_attempt = kind ~= 'throttled' and now - tonumber(redis.call('HGET', gate, 'since')) > patience_ms
    else
      costs_attempt = true
    end
  end
  if costs_attempt then
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
    passed = passed + 1
    return record_failed(row, reason)
  end
  if kind == 'unknown' then
    redis.call('ZADD', unknown, now, row)
    redis.call('HSET', reasons, row, reason)
    local whose = troubled(row)
    if whose then
      close(whose, nil, reason)
    end
    return 'unknown'
  end
  local status = redis.call('HGET', campaign, 'status')
  if not is_under_way(status) then
    return 'gone'
  end
  -- where its claim was given up meanwhile: what is certain now is that it was not sent
  redis.call('ZREM', unknown, row)
  if kind == 'not_tried' then
    -- says nothing about the provider: a gate that this row was to probe waits for another one
    gate_probed(gate)
    gate_probed(own_gate)
    redis.call('RPUSH', deferred, entry)
    return 'defer'
  end
  return record_transient(row, kind, reason, wait_ms, entry)
end

-- a campaign's own passes count from its first failure on: an outage that begins in the middle of many passes shows at once
local function count_passes(count)
  gate_passed(gate, now, count)
  if redis.call('EXISTS', own_gate, own_failing) > 0 then
    gate_passed(own_gate, now, count)
  end
end

if #accepted > 0 then
  record_accepted(accepted)
  count_passes(#accepted)
end
for row, kind, reason, wait_ms, entry, nonce in others() do
  verdicts[#verdicts + 1] = record(row, kind, reason, wait_ms, entry, nonce)
end
if passed > #accepted then
  count_passes(passed - #accepted)
end
if passed > 0 then
  gate_passed_of(gate, now, campaign_id)
  gate_open(gate, now)
  gate_open(own_gate, now)
end
if complete_if_done(campaign, progress, unknown, running, campaign_id, now) then
  verdicts[1] = '1'
end
return verdicts
