-- apply_events: records what a provider reports about rows that it was given, in any order and any number of times.
--
-- KEYS  campaign  running
-- ARGV  campaign_id  key_prefix  bounce_pct  complaint_pct  after  account_brake:json?  events(row kind reason)...
-- ->    { rows settled, "1" where the campaign has just been completed, why the brake has just acted or "", why the
--       account's brake acts or "", the places (from 0 on) of the events that name no row that was handed to the
--       provider... }
--
-- kind: dropped (the provider threw it away unsent), delivered, bounced, complained, unsubscribed, opened,
-- opened_by_machines, clicked, or accepted (any other proof that the provider took it)
--
-- Of the campaign, all with its prefix (their names are left out of KEYS since a batch of events has a call for each
-- campaign): progress, in_flight, done, failed, unknown, reasons; a bitmap by row for each other kind than dropped and
-- accepted, and in progress a counter of the same name; dropped: hash, row -> why the provider threw its email away,
-- whatever the row's end; progress counts them.
--
-- A row that is not final becomes done, or failed if its email was dropped. Its claim is removed, so that a late
-- outcome from the worker finds the row final. A final row keeps its state, with one exception: a failed row that the
-- provider has accepted after all becomes done, so that it is not sent again.
-- An unsubscription by Postrider's own link is an event too. It is ignored for a row that failed as suppressed.
-- The brake acts in the same step as the marks, so that no row is admitted after the event that passes a limit.
-- bounce_pct, complaint_pct, after: the limits of campaigns whose content an earlier version has stored
-- account_brake: the limits of each account, see account_brake; nil: it is off
--include account_brake
--include brake
--include clock
--include finish
--include rows

local prefix = key_prefix .. ':{' .. campaign_id .. '}:'
local progress, in_flight = prefix .. 'progress', prefix .. 'in_flight'
local done, failed = prefix .. 'done', prefix .. 'failed'
local unknown, reasons, dropped = prefix .. 'unknown', prefix .. 'reasons', prefix .. 'dropped'
local is_mark = { delivered = true, bounced = true, complained = true, unsubscribed = true, opened = true,
  opened_by_machines = true, clicked = true }
local before_brake = prefix .. 'before_brake'
local settled, marked, ignored = 0, 0, {}

-- whether the row was given to the provider at least once: a temporary failure leaves a reason. A row beyond the list
-- never was. An event of a row that never was can only belong to an earlier campaign with the same id, and must not
-- prevent the row from being sent.
local function handed_over(row)
  return has_end(done, failed, row) or redis.call('HEXISTS', in_flight, row) == 1 or redis.call('ZSCORE', unknown, row)
    or redis.call('HEXISTS', reasons, row) == 1
end

-- whether admission has failed the row because its recipient had just unsubscribed: that email was never sent
local function stopped_itself(row, kind)
  return kind == 'unsubscribed' and redis.call('GETBIT', failed, row) == 1
    and redis.call('HGET', reasons, row) == 'suppressed'
end

local function settle(row, kind, reason)
  redis.call('HDEL', in_flight, row)
  redis.call('ZREM', unknown, row)
  if kind == 'dropped' then
    redis.call('SETBIT', failed, row, 1)
    redis.call('HINCRBY', progress, 'failed', 1)
    redis.call('HSET', reasons, row, reason)
  else
    redis.call('SETBIT', done, row, 1)
    redis.call('HINCRBY', progress, 'done', 1)
    redis.call('HDEL', reasons, row)
  end
  settled = settled + 1
end

-- whether this is the row's first event of this kind
local function is_new(row, kind, reason)
  if kind == 'dropped' then
    return redis.call('HSETNX', dropped, row, reason) == 1
  end
  return is_mark[kind] and redis.call('SETBIT', prefix .. kind, row, 1) == 0
end

-- what the brakes count: once a person has accepted the campaign's figures, rows sent after that
local has_accepted = redis.call('HEXISTS', progress, 'brake_from') == 1
local brake_counts = { delivered = 0, bounced = 0, complained = 0 }

local function count_mark(row, kind)
  redis.call('HINCRBY', progress, kind, 1)
  marked = marked + 1
  if brake_counts[kind] and not (has_accepted and redis.call('GETBIT', before_brake, row) == 1) then
    brake_counts[kind] = brake_counts[kind] + 1
  end
end

-- why the brake has just acted, or ""
local function brake()
  for kind, count in pairs(has_accepted and brake_counts or {}) do
    redis.call('HINCRBY', progress, 'brake_' .. kind, count)
  end
  if marked == 0 or is_beyond_brake(campaign) then
    return ''
  end
  local why = brake_verdict(brake_limits(campaign, { bounce_pct, complaint_pct, after }), brake_figures(progress))
  if why then
    hold_by_brake(campaign, running, campaign_id, why)
  end
  return why or ''
end

-- why the account's brake acts, or "". A campaign that a brake holds counts no more: it has had its effect
local function brake_account()
  if not account_brake or redis.call('HEXISTS', campaign, 'braked') == 1 then
    return ''
  end
  return apply_account_brake(campaign, brake_counts, account_brake, running, key_prefix)
end

local place = -1
for row, kind, reason in events() do
  place = place + 1
  if handed_over(row) and not stopped_itself(row, kind) then
    if not has_end(done, failed, row) then
      settle(row, kind, reason)
    elseif kind ~= 'dropped' and redis.call('SETBIT', failed, row, 0) == 1 then
      redis.call('HINCRBY', progress, 'failed', -1)
      settle(row, kind, '')
    end
    if is_new(row, kind, reason) then
      count_mark(row, kind)
    end
  else
    ignored[#ignored + 1] = place
  end
end
local completed = settled > 0 and complete_if_done(campaign, progress, unknown, running, campaign_id, now_ms())
-- the account's first: the campaign's own would take it out of the account's figures
local of_account = brake_account()
return { settled, completed and '1' or '0', brake(), of_account, unpack(ignored) }
