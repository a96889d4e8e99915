-- apply_events: what a provider tells afterwards of rows that it was given, in any order and any number of times.
--
-- KEYS  campaign  running
-- ARGV  campaign_id  key_prefix  events(row kind reason)...
-- ->    { rows settled, "1" where the campaign has just been completed, the places (from 0 on) of the events that name
--       no row that was handed to the provider... }
--
-- kind: dropped (the provider threw it away unsent), delivered, bounced, complained, unsubscribed, or accepted (any
-- other proof that the provider took it)
--
-- Of the campaign, all with its prefix (their names are left out of KEYS since a batch of events has a call for each
-- campaign): progress, flight, done, failed, unknown, reasons; delivered, bounced, complained, unsubscribed: bitmaps by
-- row, progress has a counter of the same name for each; dropped: hash, row -> why the provider threw its email away,
-- whatever the row's end; progress counts them.
--
-- A row without an end gets one: done, or failed where it was dropped. Its claim goes too, so that the worker's own
-- answer, if it still comes, finds the row final. A row with an end keeps it, but for a failed one that turns out to
-- have been taken: that is done, so that it is not sent again.
--include clock
--include finish
--include rows

local prefix = key_prefix .. ':{' .. campaign_id .. '}:'
local progress, in_flight = prefix .. 'progress', prefix .. 'in_flight'
local done, failed = prefix .. 'done', prefix .. 'failed'
local unknown, reasons, dropped = prefix .. 'unknown', prefix .. 'reasons', prefix .. 'dropped'
local is_mark = { delivered = true, bounced = true, complained = true, unsubscribed = true }
local settled, ignored = 0, {}

-- whether the row was given to the provider at least once: a failure that may pass leaves a reason. No row above the
-- list ever was. What is told of a row that was not can only be of a campaign of the same name before this one, and
-- must not keep it from being sent.
local function handed_over(row)
  return has_end(done, failed, row) or redis.call('HEXISTS', in_flight, row) == 1 or redis.call('ZSCORE', unknown, row)
    or redis.call('HEXISTS', reasons, row) == 1
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

-- whether this is told of the row for the first time
local function is_new(row, kind, reason)
  if kind == 'dropped' then
    return redis.call('HSETNX', dropped, row, reason) == 1
  end
  return is_mark[kind] and redis.call('SETBIT', prefix .. kind, row, 1) == 0
end

local place = -1
for row, kind, reason in events() do
  place = place + 1
  if handed_over(row) then
    if not has_end(done, failed, row) then
      settle(row, kind, reason)
    elseif kind ~= 'dropped' and redis.call('SETBIT', failed, row, 0) == 1 then
      redis.call('HINCRBY', progress, 'failed', -1)
      settle(row, kind, '')
    end
    if is_new(row, kind, reason) then
      redis.call('HINCRBY', progress, kind, 1)
    end
  else
    ignored[#ignored + 1] = place
  end
end
local completed = settled > 0 and complete_if_done(campaign, progress, unknown, running, campaign_id, now_ms())
return { settled, completed and '1' or '0', unpack(ignored) }
