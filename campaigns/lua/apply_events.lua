-- apply_events: what a provider tells afterwards of rows that it was given, in any order and any number of times.
--
-- KEYS  1 campaign  2 progress  3 flight  4 done  5 failed  6 unknown  7 reasons  8 running
--       9 delivered  10 bounced  11 complained  12 unsubscribed
-- ARGV  1 campaign id  2... three per event: row, kind, reason; kind is dropped (the provider threw it away unsent), delivered,
--       bounced, complained, unsubscribed, or accepted (any other proof that the provider took it)
-- ->    { events that name a row that was handed to the provider, rows settled, "1" where the campaign has just been completed }
--
-- $delivered, $bounced, $complained, $unsubscribed  bitmaps by row; progress has a counter of the same name for each
--
-- A row without an end gets one: done, or failed where it was dropped. Its claim goes too, so that the worker's own answer, if it
-- still comes, finds the row final. A row with an end keeps it, but for a failed one that turns out to have been taken: that is done, so
-- that nobody has it sent again.
--include clock
--include finish

local campaign, progress, flight, done, failed = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local unknown, reasons = KEYS[6], KEYS[7]
local marks = { delivered = KEYS[9], bounced = KEYS[10], complained = KEYS[11], unsubscribed = KEYS[12] }
local named, settled = 0, 0

local function is_final(row)
  return redis.call('GETBIT', done, row) == 1 or redis.call('GETBIT', failed, row) == 1
end

-- whether the row was given to the provider at least once: a failure that may pass leaves a reason. No row above the list ever was.
-- What is told of a row that was not can only be of a campaign of the same name before this one, and must not keep it from being sent.
local function handed_over(row)
  return is_final(row) or redis.call('HEXISTS', flight, row) == 1 or redis.call('ZSCORE', unknown, row)
    or redis.call('HEXISTS', reasons, row) == 1
end

local function settle(row, kind, reason)
  redis.call('HDEL', flight, row)
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

for i = 2, #ARGV, 3 do
  local row, kind = ARGV[i], ARGV[i + 1]
  if handed_over(row) then
    named = named + 1
    if not is_final(row) then
      settle(row, kind, ARGV[i + 2])
    elseif kind ~= 'dropped' and redis.call('SETBIT', failed, row, 0) == 1 then
      redis.call('HINCRBY', progress, 'failed', -1)
      settle(row, kind, '')
    end
    if marks[kind] and redis.call('SETBIT', marks[kind], row, 1) == 0 then
      redis.call('HINCRBY', progress, kind, 1)
    end
  end
end
local completed = settled > 0 and complete_if_done(campaign, progress, unknown, KEYS[8], ARGV[1], now_ms())
return { named, settled, completed and '1' or '0' }
