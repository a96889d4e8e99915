-- admit: decides which rows of a batch may be sent now, and claims them.
--
-- KEYS  campaign  batches  in_flight  done  failed  unknown  window  own_breaker  claims  progress  reasons  running
--       suppressions
-- ARGV  list_version  batch_id  worker_id  claim_id  probe_ms:int  accounts:json  fallback_after_ms:int  key_prefix
--       limits:json?  campaign_id  rows...  domains...  hashes...
-- ->    { verdict, account through which the granted rows go, granted rows, denied rows, rows denied for their domain
--       alone, suppressed rows }; rows as "12,13"; verdict is one of
--       ok       all that may still be sent were granted
--       limited, blocked, closed, paused   why the denied ones were not; they are requeued
--       no_account  this worker does not know the campaign's account: as limited
--       stale    the batch has been closed: drop the message
--       completed  the campaign is completed, since its last rows are suppressed
--       hashes   the suppression list has entries: ask again with hashes; nothing has been decided
--
-- claim_id: of this call; probe_ms: how long a probe may take; accounts, fallback_after_ms: see accounts
-- limits: the domains'; domains: of the rows, where limits are
-- hashes: of the rows' addresses, as the suppression list keeps them; may be left out while that list is empty
--
-- $campaign  hash: status, list_version, tpm, marketing ("0": only bounces and complaints stop its emails), account,
--            proven (see trouble), ...
-- $batches    hash: batch id -> state|ms|rows; state q dispatched, a admitted, r retry due
-- $in_flight  hash: row -> worker id|ms of the claim|account|claim id
-- $claims     zset: campaigns that may have rows in flight, see due
-- $done, $failed  bitmaps by row   $unknown  zset: row by ms   windows, $breaker: see lib
--
-- A call that is repeated because its response was lost carries the same claim_id. The script decides again about the
-- rows that it claimed, because a pause may have come between. These rows count twice in the windows, which is safer
-- than to count them late. Another copy of the message gets none of them.
--include clock
--include under_way
--include open_rows
--include limit
--include accounts
--include claim_times
--include window
--include windows
--include canary
--include domain_windows
--include suppressed_rows
--include finish

local state = redis.call('HMGET', campaign, 'status', 'list_version', 'marketing', 'account', 'proven', 'open_windows',
  'pause_after', 'canary_over')
local status = state[1]
local stale = { 'stale', '', '', '', '', '' }

if state[2] ~= list_version or redis.call('HEXISTS', batches, batch_id) == 0 then
  return stale
end
if not is_under_way(status) then
  redis.call('HDEL', batches, batch_id)
  return stale
end

local clock = now_ms()
local open, open_domains, busy = open_rows(rows, domains)
if #open == 0 then
  if not busy then
    redis.call('HDEL', batches, batch_id)
  end
  return stale
end
local suppressed, account_name = {}, state[4] or 'default'
local function answer(verdict, granted, denied, held)
  local found = { verdict, account_name }
  for i, some in ipairs({ granted, denied, held, suppressed }) do
    found[i + 2] = table.concat(some, ',')
  end
  return found
end
if status == 'paused' then
  return answer('paused', {}, open, {})
end
if window_opens_in(state[6], clock) ~= 0 then
  return answer('closed', {}, open, {})
end
-- a batch of one row may try an account that gives way to its fallback: the dispatcher sends such ones
local account = account_for(account_name, function() return #open == 1 end, clock)
if not account then
  return answer('no_account', {}, open, {})
end
account_name = account.name
local own_state = breaker_state(own_breaker, clock, not state[5])
if account.state == 'open' or own_state == 'open' then
  return answer('blocked', {}, open, {})
end

if has_suppressions() then
  if #hashes == 0 then
    return answer('hashes', {}, {}, {})
  end
  open, open_domains, suppressed = take_suppressed(state[3] ~= '0', rows, hashes, open, open_domains)
end
if #open == 0 then
  if not busy then
    redis.call('HDEL', batches, batch_id)
  end
  local completed = complete_if_done(campaign, progress, unknown, running, campaign_id, clock)
  return answer(completed and 'completed' or 'ok', {}, {}, {})
end

local used, now = window_used(window, clock)
local left, verdict = limit_now(campaign, clock) - used, 'limited'
if (state[7] or '') ~= '' then
  left = math.min(left, canary_left(state[7], state[8], redis.call('HGET', progress, 'done'), in_flight, unknown))
end
local account_now = clock
if account.keeps_window then
  used, account_now = window_used(account.window, clock)
  left = math.min(left, account.limit > 0 and account.limit - used or math.huge)
end
if (account.state == 'half-open' or own_state == 'half-open') and left > 0 then
  left, verdict = 1, 'blocked'
end

local granted, denied, held, claimed = {}, {}, {}, {}
local claim = claim_by(worker_id, clock, account_name, claim_id)
for i, row in ipairs(open) do
  if #granted >= left then
    denied[#denied + 1] = row
  elseif domain_admits(account.domain_prefix, open_domains[i], clock) then
    granted[#granted + 1] = row
    claimed[#claimed + 1] = row
    claimed[#claimed + 1] = claim
  else
    held[#held + 1] = row
  end
end
if #granted > 0 then
  redis.call('HSET', in_flight, unpack(claimed))
  redis.call('ZADD', claims, 'NX', clock + CLAIMS_LOOK_MS, campaign_id)
  window_add(window, now, #granted)
  if account.keeps_window then
    window_add(account.window, account_now, #granted)
  end
  save_domain_windows()
  redis.call('HSET', batches, batch_id, 'a|' .. clock .. '|' .. table.concat(granted, ','))
  if account.state == 'half-open' then
    redis.call('HSET', account.breaker, 'probe_until', clock + probe_ms)
  end
  if own_state == 'half-open' then
    redis.call('HSET', own_breaker, 'probe_until', clock + probe_ms)
  end
end
return answer(#granted == #open and 'ok' or verdict, granted, denied, held)
