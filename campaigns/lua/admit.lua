-- admit: decides which rows of a run may be sent now, and claims them.
--
-- KEYS  campaign  runs  flight  done  failed  unknown  window  gate  account  own_gate  claims
-- ARGV  generation  run_id  worker_id  nonce  probe_ms:int  account_limit:int  limits:json?  domain_prefix
--       campaign_id  rows...  domains...
-- ->    { verdict, granted rows, denied rows, rows denied for their domain alone }; rows as "12,13"; verdict is one of
--       ok       all that may still be sent were granted
--       limited, blocked, paused   why the denied ones were not; they go back to the waiting side
--       stale    the run has been closed: drop the message
--
-- nonce: of this question; probe_ms: how long a probe may take; account_limit: 0 for none; limits: the domains'
-- domain_prefix: of the domains' windows; domains: of the rows, where limits are
--
-- $campaign  hash: status, generation, tpm, ...
-- $runs      hash: run id -> state|ms|rows; state q released, a admitted, r retry due
-- $flight    hash: row -> worker id|ms of the claim|nonce    $claims  zset: campaigns that may have such, see release
-- $done, $failed  bitmaps by row   $unknown  zset: row by ms   windows, $gate: see lib
--
-- A question that is asked again because its answer was lost carries the same nonce: the rows that it claimed are
-- decided about once more, as things stand now (a pause may have come between), and count in the windows twice rather
-- than late. Another copy of the message gets nothing of them.
--include clock
--include under_way
--include open_rows
--include limit
--include gate
--include claim_times
--include window
--include domain_windows

local state = redis.call('HMGET', campaign, 'status', 'generation')
local status = state[1]
local stale = { 'stale', '', '', '' }

if state[2] ~= generation or redis.call('HEXISTS', runs, run_id) == 0 then
  return stale
end
if not is_under_way(status) then
  redis.call('HDEL', runs, run_id)
  return stale
end

local clock = now_ms()
local open, open_domains, busy = open_rows(rows, domains)
if #open == 0 then
  if not busy then
    redis.call('HDEL', runs, run_id)
  end
  return stale
end
local function answer(verdict, granted, denied, parked)
  return { verdict, table.concat(granted, ','), table.concat(denied, ','), table.concat(parked, ',') }
end
if status == 'paused' then
  return answer('paused', {}, open, {})
end
local passage, own_passage = gate_state(gate, clock), gate_state(own_gate, clock)
if passage == 'closed' or own_passage == 'closed' then
  return answer('blocked', {}, open, {})
end

local used, now = window_used(window, clock)
local left, verdict = limit_now(campaign, clock) - used, 'limited'
local account_now = clock
if account_limit > 0 then
  used, account_now = window_used(account, clock)
  left = math.min(left, account_limit - used)
end
if (passage == 'probe' or own_passage == 'probe') and left > 0 then
  left, verdict = 1, 'blocked'
end

local granted, denied, parked, claimed = {}, {}, {}, {}
local claim = claim_by(worker_id, clock, nonce)
for i, row in ipairs(open) do
  if #granted >= left then
    denied[#denied + 1] = row
  elseif domain_admits(open_domains[i], clock) then
    granted[#granted + 1] = row
    claimed[#claimed + 1] = row
    claimed[#claimed + 1] = claim
  else
    parked[#parked + 1] = row
  end
end
if #granted > 0 then
  redis.call('HSET', flight, unpack(claimed))
  redis.call('ZADD', claims, 'NX', clock + CLAIMS_LOOK_MS, campaign_id)
  window_add(window, now, #granted)
  if account_limit > 0 then
    window_add(account, account_now, #granted)
  end
  save_domain_windows()
  redis.call('HSET', runs, run_id, 'a|' .. clock .. '|' .. table.concat(granted, ','))
  if passage == 'probe' then
    redis.call('HSET', gate, 'probe_until', clock + probe_ms)
  end
  if own_passage == 'probe' then
    redis.call('HSET', own_gate, 'probe_until', clock + probe_ms)
  end
end
return answer(#granted == #open and 'ok' or verdict, granted, denied, parked)
