-- transition: moves a campaign to another state where its state allows that.
--
-- KEYS  1 campaign  2 progress  3 flight  4 running  5 parsing  6 waiting  7 deferred  8 runs  9 parked
-- ARGV  1 campaign id  2 new state  3 states it may come from, "ready,running"  4 states in which it is there already
-- ->    { outcome, state before, rows in flight, missing columns }; outcome one of moved, same, refused, missing, empty, columns, later
--       empty: there is nobody to send to; columns: the list lacks some that the templates name; later: it will start as soon as its
--       list is parsed
--include clock
--include columns
--include parked
--include enqueue
local campaign = KEYS[1]
local status = redis.call('HGET', campaign, 'status')
if not status then
  return { 'missing', '', 0, '' }
end
local total = tonumber(redis.call('HGET', KEYS[2], 'total')) or 0
local function answer(outcome)
  return { outcome, status, redis.call('HLEN', KEYS[3]), outcome == 'columns' and missing_columns(campaign) or '' }
end
local function listed(states)
  return string.find(',' .. states .. ',', ',' .. status .. ',', 1, true) ~= nil
end

local target = ARGV[2]
if listed(ARGV[4]) then
  return answer('same')
end
if not listed(ARGV[3]) then
  return answer('refused')
end
if target == 'running' then
  if status == 'parsing' then
    redis.call('HSET', campaign, 'start_when_ready', '1')
    return answer('later')
  end
  if total == 0 then
    return answer('empty')
  end
  if status == 'ready' and missing_columns(campaign) ~= '' then
    return answer('columns')
  end
  redis.call('HSETNX', campaign, 'started_at', now_ms())
  redis.call('HDEL', campaign, 'reason')
  redis.call('HDEL', KEYS[2], 'paced_at', 'tokens', 'feed_asked', 'asked_at', 'feed_after', 'reconcile_at')
  redis.call('SADD', KEYS[4], ARGV[1])
  wake('release')
else
  redis.call('SREM', KEYS[4], ARGV[1])
end
if target == 'cancelled' then
  redis.call('ZREM', KEYS[5], ARGV[1])
  redis.call('HSET', campaign, 'finished_at', now_ms())
  redis.call('DEL', KEYS[6], KEYS[7], KEYS[8])
  drop_parked(KEYS[9])
  redis.call('HDEL', KEYS[2], 'parked')
end
if target == 'paused' then
  redis.call('HDEL', campaign, 'reason')
end
redis.call('HSET', campaign, 'status', target)
return answer('moved')
