-- admit: decides which rows of a run may be sent now, and claims them.
--
-- KEYS  campaign  runs  flight  done  failed  unknown  window  gate  account  own_gate  claims
-- ARGV  generation  run_id  worker_id  nonce  probe_ms:int  account_limit:int  limits:json?  domain_prefix
--       campaign_id  look_ms:int  rows...  domains...
-- ->    { verdict, granted rows, denied rows, rows denied for their domain alone }; rows as "12,13"; verdict is one of
--       ok       all that may still be sent were granted
--       limited, blocked, paused   why the denied ones were not; they go back to the waiting side
--       stale    the run is nobody's any more: drop the message
--
-- nonce: of this question; probe_ms: how long a probe may take; account_limit: 0 for none; limits: the domains'
-- domain_prefix: of the domains' windows; look_ms: the time until its claims are looked at; domains: of the rows, where limits are
--
-- $campaign  hash: status, generation, tpm, ...
-- $runs      hash: run id -> state|ms|rows; state q released, a admitted, r retry due
-- $flight    hash: row -> worker id|ms of the claim|nonce    $claims  zset: campaigns that may have such, see release
-- $done, $failed  bitmaps by row   $unknown  zset: row by ms   windows, $gate: see lib
--
-- A question that is asked again because its answer was lost carries the same nonce: the rows that it claimed are decided about once
-- more, as things stand now (a pause may have come between), and count in the windows twice rather than late. Another copy of the
-- message gets nothing of them.
--include clock
--include window
--include limit
--include gate
--include domains
--include lifecycle

local state = redis.call('HMGET', campaign, 'status', 'generation')
local status = state[1]

if state[2] ~= generation or redis.call('HEXISTS', runs, run_id) == 0 then
  return { 'stale', '', '', '' }
end
if not is_under_way(status) then
  redis.call('HDEL', runs, run_id)
  return { 'stale', '', '', '' }
end

local clock = now_ms()
local tpm = limit_now(campaign, clock)
local open, open_domains, busy = {}, {}, false
local any_unknown = redis.call('EXISTS', unknown) == 1
local bits = {}
for _, row in ipairs(rows) do
  bits[#bits + 1] = 'GET'
  bits[#bits + 1] = 'u1'
  bits[#bits + 1] = row
end
local before = redis.call('HMGET', flight, unpack(rows))
local done_bits, failed_bits = redis.call('BITFIELD', done, unpack(bits)), redis.call('BITFIELD', failed, unpack(bits))
for i, row in ipairs(rows) do
  local claim = before[i]
  if claim and string.sub(claim, -#nonce) == nonce then
    redis.call('HDEL', flight, row)
    claim = nil
  end
  if claim then
    busy = true
  elseif done_bits[i] == 0 and failed_bits[i] == 0 and not (any_unknown and redis.call('ZSCORE', unknown, row)) then
    open[#open + 1] = row
    open_domains[#open] = domains[i]
  end
end
local function answer(verdict, granted, denied, parked)
  return { verdict, table.concat(granted, ','), table.concat(denied, ','), table.concat(parked, ',') }
end
if #open == 0 then
  if not busy then
    redis.call('HDEL', runs, run_id)
  end
  return { 'stale', '', '', '' }
end
if status == 'paused' then
  return answer('paused', {}, open, {})
end
local passage, own_passage = gate_state(gate, clock), gate_state(own_gate, clock)
if passage == 'closed' or own_passage == 'closed' then
  return answer('blocked', {}, open, {})
end

local used, now = window_used(window, clock)
local left, verdict = tpm - used, 'limited'
local account_now = clock
if account_limit > 0 then
  used, account_now = window_used(account, clock)
  left = math.min(left, account_limit - used)
end
if (passage == 'probe' or own_passage == 'probe') and left > 0 then
  left, verdict = 1, 'blocked'
end

local by_domain = {}
-- whether one more mail may go to a domain; counts it where it may
local function domain_admits(domain)
  local limit = limits and domain_limit(limits, domain)
  if not limit then
    return true
  end
  local d = by_domain[domain]
  if not d then
    d = { key = domain_prefix .. domain, count = 0 }
    d.used, d.now = window_used(d.key, clock)
    by_domain[domain] = d
  end
  if d.used + d.count >= limit then
    return false
  end
  d.count = d.count + 1
  return true
end

local granted, denied, parked, claimed = {}, {}, {}, {}
local claim = worker_id .. '|' .. clock .. '|' .. nonce
for i, row in ipairs(open) do
  if #granted >= left then
    denied[#denied + 1] = row
  elseif domain_admits(open_domains[i]) then
    granted[#granted + 1] = row
    claimed[#claimed + 1] = row
    claimed[#claimed + 1] = claim
  else
    parked[#parked + 1] = row
  end
end
if #granted > 0 then
  redis.call('HSET', flight, unpack(claimed))
  redis.call('ZADD', claims, 'NX', clock + look_ms, campaign_id)
  window_add(window, now, #granted)
  if account_limit > 0 then
    window_add(account, account_now, #granted)
  end
  for _, d in pairs(by_domain) do
    if d.count > 0 then
      window_add(d.key, d.now, d.count)
    end
  end
  redis.call('HSET', runs, run_id, 'a|' .. clock .. '|' .. table.concat(granted, ','))
  if passage == 'probe' then
    redis.call('HSET', gate, 'probe_until', clock + probe_ms)
  end
  if own_passage == 'probe' then
    redis.call('HSET', own_gate, 'probe_until', clock + probe_ms)
  end
end
return answer(#granted == #open and 'ok' or verdict, granted, denied, parked)
