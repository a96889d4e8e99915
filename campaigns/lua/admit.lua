-- admit: decides which rows of a run may be sent now, and claims them.
--
-- KEYS  1 campaign  2 runs  3 flight  4 done  5 failed  6 unknown  7 window  8 gate  9 account's window
--       10 the campaign's own gate  11 claims
-- ARGV  1 generation  2 run id  3 worker id  4 nonce of this question  5 how long a probe may take (ms)
--       6 the account's limit (0: none)  7 JSON of the domains' limits or ""  8 prefix of the domains' windows
--       9 campaign id  10 time until its claims are looked at (ms)
--       11 number of rows, then the rows, then their domains where domains are limited
-- ->    { verdict, granted rows, denied rows, rows denied for their domain alone }; rows as "12,13"; verdict is one of
--       ok       all that may still be sent were granted
--       limited, blocked, paused   why the denied ones were not; they go back to the waiting side
--       stale    the run is nobody's any more: drop the message
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

local campaign, runs, flight, window, gate, account = KEYS[1], KEYS[2], KEYS[3], KEYS[7], KEYS[8], KEYS[9]
local own_gate = KEYS[10]
local run_id, worker_id, count = ARGV[2], ARGV[3], tonumber(ARGV[11])
local state = redis.call('HMGET', campaign, 'status', 'generation')
local status = state[1]

if state[2] ~= ARGV[1] or redis.call('HEXISTS', runs, run_id) == 0 then
  return { 'stale', '', '', '' }
end
if status ~= 'running' and status ~= 'paused' then
  redis.call('HDEL', runs, run_id)
  return { 'stale', '', '', '' }
end

local clock = now_ms()
local tpm = limit_now(campaign, clock)
local open, domains, busy = {}, {}, false
local any_unknown = redis.call('EXISTS', KEYS[6]) == 1
local rows, bits = { unpack(ARGV, 12, 11 + count) }, {}
for _, row in ipairs(rows) do
  bits[#bits + 1] = 'GET'
  bits[#bits + 1] = 'u1'
  bits[#bits + 1] = row
end
local claims = redis.call('HMGET', flight, unpack(rows))
local done, failed = redis.call('BITFIELD', KEYS[4], unpack(bits)), redis.call('BITFIELD', KEYS[5], unpack(bits))
for i, row in ipairs(rows) do
  local claim = claims[i]
  if claim and string.sub(claim, -#ARGV[4]) == ARGV[4] then
    redis.call('HDEL', flight, row)
    claim = nil
  end
  if claim then
    busy = true
  elseif done[i] == 0 and failed[i] == 0 and not (any_unknown and redis.call('ZSCORE', KEYS[6], row)) then
    open[#open + 1] = row
    domains[#open] = ARGV[11 + count + i]
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
local account_limit, account_now = tonumber(ARGV[6]), clock
if account_limit > 0 then
  used, account_now = window_used(account, clock)
  left = math.min(left, account_limit - used)
end
if (passage == 'probe' or own_passage == 'probe') and left > 0 then
  left, verdict = 1, 'blocked'
end

local limits = ARGV[7] ~= '' and cjson.decode(ARGV[7]) or nil
local by_domain = {}
-- whether one more mail may go to a domain; counts it where it may
local function domain_admits(domain)
  local limit = limits and domain_limit(limits, domain)
  if not limit then
    return true
  end
  local d = by_domain[domain]
  if not d then
    d = { key = ARGV[8] .. domain, count = 0 }
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
local claim = worker_id .. '|' .. clock .. '|' .. ARGV[4]
for i, row in ipairs(open) do
  if #granted >= left then
    denied[#denied + 1] = row
  elseif domain_admits(domains[i]) then
    granted[#granted + 1] = row
    claimed[#claimed + 1] = row
    claimed[#claimed + 1] = claim
  else
    parked[#parked + 1] = row
  end
end
if #granted > 0 then
  redis.call('HSET', flight, unpack(claimed))
  redis.call('ZADD', KEYS[11], 'NX', clock + tonumber(ARGV[10]), ARGV[9])
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
    redis.call('HSET', gate, 'probe_until', clock + tonumber(ARGV[5]))
  end
  if own_passage == 'probe' then
    redis.call('HSET', own_gate, 'probe_until', clock + tonumber(ARGV[5]))
  end
end
return answer(#granted == #open and 'ok' or verdict, granted, denied, parked)
