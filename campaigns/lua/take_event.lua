-- take_event: the outgoing event that has been due for the longest time, for the one process that delivers. It also
-- turns the events on for this receiver: events that no process takes any more are forgotten after some days.
--
-- KEYS  events  events_lease  events_due  events_waiting  events_attempts
-- ARGV  process  receiver  nonce
-- ->    { id, failed attempts, event } or { } if none is due, another process delivers, or the receiver wants none
--
-- receiver: a digest of its address and secret; nonce: part of the events' ids, if there is none yet
--
-- $events  hash: receiver; on_until (ms): events wait for it until then, 0 if it wants none; nonce, seq, dropped
-- $events_due  zset: id by when it is due (ms)   $events_waiting  hash: id -> event
-- $events_attempts  hash: id -> failed attempts   $events_lease  string with expiry: the process that delivers
--include clock
--- how long a process stays the one that delivers (ms); one attempt takes less
local EVENTS_LEASE_MS = 30000
--- how long events wait for a process that delivers (ms), and how often that time is renewed
local EVENTS_KEPT_MS = 2 * 24 * 3600 * 1000
local EVENTS_RENEW_MS = 60000

local holder = redis.call('GET', events_lease)
if holder and holder ~= process then
  return {}
end
redis.call('SET', events_lease, process, 'PX', EVENTS_LEASE_MS)
local now = now_ms()
local state = redis.call('HMGET', events, 'receiver', 'on_until')
if state[1] ~= receiver then
  redis.call('HSETNX', events, 'nonce', nonce)
  redis.call('HSET', events, 'receiver', receiver, 'on_until', 1)
  state[2] = '1'
end
local on_until = tonumber(state[2]) or 0
if on_until == 0 then
  return {}
end
if on_until < now + EVENTS_KEPT_MS - EVENTS_RENEW_MS then
  redis.call('HSET', events, 'on_until', now + EVENTS_KEPT_MS)
  for _, key in ipairs({ events_due, events_waiting, events_attempts }) do
    redis.call('PEXPIRE', key, EVENTS_KEPT_MS)
  end
end
local id = redis.call('ZRANGEBYSCORE', events_due, '-inf', now, 'LIMIT', 0, 1)[1]
local event = id and redis.call('HGET', events_waiting, id)
if not event then
  return {}
end
return { id, tonumber(redis.call('HGET', events_attempts, id)) or 0, event }
