-- release: one tick of the releasing worker: heartbeat, lease, and what may go from the campaigns' waiting sides to Dramatiq's
-- queue now, by pace and by turns.
--
-- KEYS  1 lease  2 running  3 ring  4 workers  5 slots  6 parsing  7 gate  8 queue  9 queue's messages
-- ARGV  1 worker id  2 its slots  3 lease (ms)  4 id for new messages, unique a call  5 key prefix
--       6 most rows a run  7 most bytes a run  8 time between reconciliations (ms)  9 silence after which a parser is lost (ms)
--       10 silence after which a worker's slots no longer count (ms)
--       11-13 what a campaign keeps waiting: recipients of so much time (ms), at least, at most
-- ->    JSON: { leader, wait_ms, released, feed: [ids], reconcile: [ids], parse: [ids] }
--       feed, reconcile, parse: campaigns for which the caller shall send such a message
--
-- $lease    string with expiry: id of the worker that releases    $ring  hash: last: the campaign whose turn it was
-- $workers  zset: worker id by ms    $slots  hash: worker id -> messages at once
-- Of each running campaign, all with its prefix: campaign, progress, waiting, deferred, runs, window.
-- $progress hash: tokens, paced_at: the pace; waiting_bytes; cursor; again; feed_asked, reconcile_at (ms)
-- $waiting  list: one recipient each, [row,"address",[values]]    $deferred  list: see defer
--include clock
--include window
--include gate
--include enqueue

local worker_id, lease_ms = ARGV[1], tonumber(ARGV[3])
local max_rows, max_bytes = tonumber(ARGV[6]), tonumber(ARGV[7])
local now = now_ms()
--- the pace stays this much under the limit, so that in the steady state the window never has to refuse
local PACE = 0.997
--- how much of the pace may be made up for after a delay (ms)
local BURST_MS = 500
local LOW_WATER_MS, LOW_WATER_MIN, LOW_WATER_MAX = tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
local FEED_AGAIN_MS = 5000
local IDLE_MS = 100

redis.call('ZADD', KEYS[4], now, worker_id)
redis.call('HSET', KEYS[5], worker_id, ARGV[2])
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= worker_id then
  return cjson.encode({ leader = false, wait_ms = 250 })
end
redis.call('SET', KEYS[1], worker_id, 'PX', lease_ms)

local reply = { leader = true, released = 0, feed = {}, reconcile = {}, parse = {} }
local wait_ms = IDLE_MS

-- room on the queue: enough to keep every worker's threads busy, not so much that a late campaign waits behind it
local slots = 0
local alive = redis.call('ZRANGEBYSCORE', KEYS[4], now - tonumber(ARGV[10]), '+inf')
for _, count in ipairs(#alive > 0 and redis.call('HMGET', KEYS[5], unpack(alive)) or {}) do
  slots = slots + (tonumber(count) or 0)
end
local room = slots - redis.call('LLEN', KEYS[8])
for _, dead in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now - 60 * tonumber(ARGV[10]))) do
  redis.call('ZREM', KEYS[4], dead)
  redis.call('HDEL', KEYS[5], dead)
end
local passage, closed_ms = gate_state(KEYS[7], now)
if passage == 'closed' then
  room, wait_ms = 0, math.min(wait_ms, closed_ms)
elseif passage == 'probe' then
  room = math.min(room, 1)
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', now - tonumber(ARGV[9]))) do
  redis.call('ZADD', KEYS[6], now, id)
  reply.parse[#reply.parse + 1] = id
end

local function load(id)
  local prefix = ARGV[5] .. ':{' .. id .. '}:'
  local c = redis.call('HMGET', prefix .. 'campaign', 'tpm', 'generation', 'slices')
  local p = redis.call('HMGET', prefix .. 'progress', 'tokens', 'paced_at', 'cursor', 'again', 'feed_asked', 'reconcile_at')
  local rate = tonumber(c[1]) / 60000 * PACE
  local burst = math.max(1, rate * BURST_MS)
  -- one more than the burst is kept, so that what is left over from one tick to the next is never lost
  local tokens = math.min(burst + 1, (tonumber(p[1]) or burst) + (now - (tonumber(p[2]) or now)) * rate)
  local used = window_used(prefix .. 'window', now)
  return {
    id = id, prefix = prefix, generation = c[2], rate = rate, tokens = tokens,
    left = math.min(math.floor(tokens), tonumber(c[1]) - used),
    unfed = (tonumber(p[3]) or 0) < (tonumber(c[3]) or 0) or (tonumber(p[4]) or 0) > 0,
    feed_asked = tonumber(p[5]) or 0, reconcile_at = tonumber(p[6]),
    deferred = redis.call('LLEN', prefix .. 'deferred'), waiting = redis.call('LLEN', prefix .. 'waiting'),
    bytes = 0,
  }
end

local serial = 0
local function send(c, retries, count, rows, recipients)
  serial = serial + 1
  local run_id = ARGV[4] .. '-' .. serial
  redis.call('HSET', c.prefix .. 'runs', run_id, 'q|' .. now .. '|' .. rows)
  enqueue(KEYS[8], KEYS[9], run_id, table.concat({
    '{"queue_name":"send_email","actor_name":"SendEmail","args":["', c.id, '","', c.generation, '",[', recipients,
    ']],"kwargs":{},"options":{"redis_message_id":"', run_id, '"', retries == '0' and '' or ',"retries":' .. retries,
    '},"message_id":"', run_id, '","message_timestamp":', string.format('%.0f', now), '}' }))
  c.tokens, c.left = c.tokens - count, c.left - count
  reply.released = reply.released + count
end

-- a deferred run goes before anything new; one that is larger than what may go now waits until it fits, or is at the campaign's burst
local function send_deferred(c)
  local entry = redis.call('LPOP', c.prefix .. 'deferred')
  local retries, count, rows, recipients = string.match(entry, '^(%d+)|(%d+)|([%d,]*)|(.*)$')
  c.deferred = c.deferred - 1
  send(c, retries, tonumber(count), rows, recipients)
end

local function send_waiting(c)
  local most = passage == 'probe' and 1 or math.min(max_rows, c.left)
  local recipients = redis.call('LPOP', c.prefix .. 'waiting', most)
  local rows, bytes, count = {}, 0, 0
  for i, recipient in ipairs(recipients) do
    if i > 1 and bytes + #recipient > max_bytes then
      for j = #recipients, i, -1 do
        redis.call('LPUSH', c.prefix .. 'waiting', recipients[j])
        recipients[j] = nil
      end
      break
    end
    rows[i] = string.match(recipient, '^%[(%d+)')
    bytes, count = bytes + #recipient, count + 1
  end
  c.waiting, c.bytes = c.waiting - count, c.bytes + bytes
  send(c, '0', count, table.concat(rows, ','), table.concat(recipients, ','))
end

local ids = redis.call('SMEMBERS', KEYS[2])
table.sort(ids)
local last, first = redis.call('HGET', KEYS[3], 'last') or '', 1
while first <= #ids and ids[first] <= last do
  first = first + 1
end
local turns = {}
for i = 0, #ids - 1 do
  turns[#turns + 1] = load(ids[(first - 1 + i) % #ids + 1])
end

-- rounds: each campaign that may send gets one run in turn, until there is no room or nobody left
local given = true
while given and room > 0 do
  given = false
  for _, c in ipairs(turns) do
    if room > 0 and c.left > 0 and c.deferred + c.waiting > 0 then
      if c.deferred > 0 then
        send_deferred(c)
      else
        send_waiting(c)
      end
      last, given, room = c.id, true, room - 1
    end
  end
end
redis.call('HSET', KEYS[3], 'last', last)

for _, c in ipairs(turns) do
  local progress = c.prefix .. 'progress'
  redis.call('HSET', progress, 'tokens', string.format('%.4f', c.tokens), 'paced_at', now)
  if c.bytes > 0 then
    redis.call('HINCRBY', progress, 'waiting_bytes', -c.bytes)
  end
  local low_water = math.max(LOW_WATER_MIN, math.min(LOW_WATER_MAX, c.rate * LOW_WATER_MS))
  if c.unfed and c.waiting < low_water and now - c.feed_asked > FEED_AGAIN_MS then
    redis.call('HSET', progress, 'feed_asked', now)
    reply.feed[#reply.feed + 1] = c.id
  end
  if not c.reconcile_at then
    redis.call('HSET', progress, 'reconcile_at', now + tonumber(ARGV[8]))
  elseif c.reconcile_at <= now then
    redis.call('HSET', progress, 'reconcile_at', now + tonumber(ARGV[8]))
    reply.reconcile[#reply.reconcile + 1] = c.id
  end
  if c.deferred + c.waiting > 0 and passage ~= 'closed' then
    wait_ms = math.min(wait_ms, math.max(20, math.ceil((1 - c.tokens) / c.rate)))
  end
end
reply.wait_ms = wait_ms
return cjson.encode(reply)
