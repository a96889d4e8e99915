-- release: one tick of the releasing worker: heartbeat, lease, and what may go from the campaigns' waiting sides to Dramatiq's
-- queue now, by pace and by turns.
--
-- KEYS  lease  running  ring  workers  slots  parsing  gate  queue  messages  account  claims
-- ARGV  worker_id  own_slots:int  lease_ms:int  call_id  key_prefix  max_rows:int  max_bytes:int  reconcile_ms:int
--       parser_lost_ms:int  worker_dead_ms:int  low_water_ms:int  low_water_min:int  low_water_max:int
--       account_limit:int  limits:json?  domain_prefix  parked_max:int  claim_lost_ms:int  look_ms:int
-- ->    JSON: { leader, wait_ms, idle, released, feed: [ids], reconcile: [ids], parse: [ids], expired: [[id, rows]], refused: [ids] }
--       idle: no campaign runs, so that the next tick is due late, or when somebody rings for the release
--       feed, reconcile, parse: campaigns for which the caller shall send such a message; expired: whose rows in flight are unknown now
--       refused: campaigns that have been paused, as Redis refuses one of their keys
--
-- own_slots: of this worker; call_id: for the ids of new messages; max_rows, max_bytes: of a run; reconcile_ms: time between two
-- reconciliations; parser_lost_ms: silence after which a parser is lost; worker_dead_ms: after which a worker's slots no longer count
-- low_water_ms, low_water_min, low_water_max: what a campaign keeps waiting: recipients of so much time, at least, at most
-- account_limit: 0 for none; limits: the domains'; domain_prefix: of their windows; parked_max: most recipients parked for their domain
-- claim_lost_ms: age at which any claim is given up; look_ms: time between two looks at claims
--
-- $lease    string with expiry: id of the worker that releases
-- $ring     hash: vtime: the turns' virtual time; tokens, paced_at: the account's pace; ticked: the last tick of any worker;
--           calls: that have released something;
--           away_until: up to then (ms) no worker is taken for dead
-- $claims   zset: campaign, in whatever state, by when its rows in flight are looked at next (ms)
-- $workers  zset: worker id by ms    $slots  hash: worker id -> messages at once
-- Of each running campaign, all with its prefix: campaign, progress, waiting, deferred, parked, runs, window, gate.
-- $progress hash: tokens, paced_at: the pace; turn: its virtual time; waiting_bytes; parked; cursor; again;
--           feed_asked: a feeder is at work, or has been asked for, since; asked_at: when one was asked for last;
--           feed_after: not before; reconcile_at (ms)
-- $waiting  list: one recipient each, [row,"address",[values]]    $deferred, $parked: see defer
--
-- Turns: each recipient costs its campaign 1 / weight of virtual time, and the campaign that is furthest behind goes next. One that
-- had nothing to send, or was not allowed to, does not save up turns.
--include clock
--include window
--include limit
--include pace
--include gate
--include domains
--include enqueue
--include claims

local now = now_ms()
local FEED_AGAIN_MS = 2000
local IDLE_MS = 100
--- campaigns whose claims one tick looks at
local MOST_LOOKS = 100
-- while no campaign runs: far below the silence after which a worker is dead
local NOBODY_RUNS_MS = 2000
local SILENCE_MS = worker_dead_ms / 2
--- domains whose parked recipients one tick looks at, a campaign
local PARKED_DOMAINS = 20
-- most runs of one call: nobody else is answered meanwhile. Where there is room for more, the next call follows at once
local MOST_RUNS = 128

-- nobody has ticked for a while: Redis was away, and a worker that has not come back yet is not dead for that
if now - (tonumber(redis.call('HGET', ring, 'ticked')) or now) > SILENCE_MS then
  redis.call('HSET', ring, 'away_until', now + worker_dead_ms)
end
redis.call('HSET', ring, 'ticked', now)
redis.call('ZADD', workers, now, worker_id)
redis.call('HSET', slots, worker_id, own_slots)
local holder, ids = redis.call('GET', lease), redis.call('SMEMBERS', running)
local idle = #ids == 0
if holder and holder ~= worker_id then
  return cjson.encode({ leader = false, idle = idle, wait_ms = idle and NOBODY_RUNS_MS or 500 })
end
-- the lease outlives the sleep, so that the ring finds its holder
redis.call('SET', lease, worker_id, 'PX', lease_ms + (idle and NOBODY_RUNS_MS or 0))

local reply = { leader = true, idle = idle, released = 0, feed = {}, reconcile = {}, parse = {}, expired = {}, refused = {} }
local wait_ms = idle and NOBODY_RUNS_MS or IDLE_MS

-- room on the queue: enough to keep every worker's threads busy, not so much that a late campaign waits behind it
local slots_alive = 0
local alive = redis.call('ZRANGEBYSCORE', workers, now - worker_dead_ms, '+inf')
for _, count in ipairs(#alive > 0 and redis.call('HMGET', slots, unpack(alive)) or {}) do
  slots_alive = slots_alive + (tonumber(count) or 0)
end
local room = slots_alive - redis.call('LLEN', queue)
for _, dead in ipairs(redis.call('ZRANGEBYSCORE', workers, '-inf', now - 60 * worker_dead_ms)) do
  redis.call('ZREM', workers, dead)
  redis.call('HDEL', slots, dead)
end
local passage, closed_ms = gate_state(gate, now)
if passage == 'closed' then
  room, wait_ms = 0, math.min(wait_ms, closed_ms)
elseif passage == 'probe' then
  room = math.min(room, 1)
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', parsing, '-inf', now - parser_lost_ms)) do
  redis.call('ZADD', parsing, now, id)
  reply.parse[#reply.parse + 1] = id
end

-- rows in flight whose worker is dead -> whether the campaign has any left
local function look_at_claims(id)
  local k = { running = running, ring = ring, workers = workers }
  for _, name in ipairs({ 'campaign', 'progress', 'flight', 'unknown', 'reasons', 'done', 'failed' }) do
    k[name] = key_prefix .. ':{' .. id .. '}:' .. name
  end
  local _, expired = expire_claims(k, id, worker_dead_ms, claim_lost_ms, now)
  if expired > 0 then
    reply.expired[#reply.expired + 1] = { id, expired }
  end
  return redis.call('EXISTS', k.flight) == 1
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', claims, '-inf', now, 'LIMIT', 0, MOST_LOOKS)) do
  -- one whose keys Redis refuses holds up no other; it is looked at again
  local looked, some_left = pcall(look_at_claims, id)
  if some_left or not looked then
    redis.call('ZADD', claims, now + look_ms, id)
  else
    redis.call('ZREM', claims, id)
  end
end

local before_tick = redis.call('HMGET', ring, 'vtime', 'tokens', 'paced_at')
local vtime, account_tokens, account_left = tonumber(before_tick[1]) or 0, 0, math.huge
if account_limit > 0 then
  account_tokens = pace_refill(account_limit, before_tick[2], before_tick[3], now)
  account_left = math.min(math.floor(account_tokens), account_limit - window_used(account, now))
end

local function load_campaign(id)
  local prefix = key_prefix .. ':{' .. id .. '}:'
  local c = redis.call('HMGET', prefix .. 'campaign', 'generation', 'slices', 'weight')
  local p = redis.call('HMGET', prefix .. 'progress', 'tokens', 'paced_at', 'cursor', 'again', 'feed_asked', 'reconcile_at', 'turn',
    'parked', 'asked_at', 'feed_after')
  local limit = limit_now(prefix .. 'campaign', now)
  local tokens, rate = pace_refill(limit, p[1], p[2], now)
  local own_passage, own_closed_ms = gate_state(prefix .. 'gate', now)
  return {
    probe = own_passage == 'probe', passed = own_passage == 'closed', closed_ms = own_closed_ms,
    id = id, prefix = prefix, generation = c[1], rate = rate, tokens = tokens, weight = tonumber(c[3]) or 1,
    left = math.min(math.floor(tokens), limit - window_used(prefix .. 'window', now)),
    turn = math.max(tonumber(p[7]) or 0, vtime),
    unfed = (tonumber(p[3]) or 0) < (tonumber(c[2]) or 0) or (tonumber(p[4]) or 0) > 0,
    feed_asked = tonumber(p[5]) or 0, asked_at = tonumber(p[9]) or 0, feed_after = tonumber(p[10]) or 0,
    reconcile_at = tonumber(p[6]),
    deferred = redis.call('LLEN', prefix .. 'deferred'), waiting = redis.call('LLEN', prefix .. 'waiting'),
    parked = tonumber(p[8]) or 0, parked_before = tonumber(p[8]) or 0, bytes = 0,
    paced_at = tonumber(p[2]) or 0, changed = false,
  }
end

-- room_for(domain) -> how many more mails may go to a domain now
local by_domain = {}
local function room_for(domain)
  local d = by_domain[domain]
  if not d then
    local limit = domain_limit(limits, domain)
    if not limit then
      d = { left = math.huge }
    else
      local key = domain_prefix .. domain
      local used = window_used(key, now)
      local pace = redis.call('HMGET', key, 'tokens', 'paced_at')
      local tokens, rate = pace_refill(limit, pace[1], pace[2], now)
      d = { key = key, tokens = tokens, rate = rate, left = math.min(math.floor(tokens), limit - used) }
    end
    by_domain[domain] = d
  end
  return d
end

-- a campaign of whose keys Redis refuses one, as it holds what it should not, is paused with the reason and holds up nobody else
local function stand_aside(id, problem)
  local reason = 'Redis refuses this campaign: ' .. tostring(type(problem) == 'table' and problem.err or problem)
  redis.call('SREM', running, id)
  redis.pcall('HSET', key_prefix .. ':{' .. id .. '}:campaign', 'status', 'paused', 'reason', reason)
  reply.refused[#reply.refused + 1] = id
end

local function row_of(recipient)
  return string.match(recipient, '^%[(%d+)')
end

-- a call that is repeated, as its answer was lost, makes new ids
local call, serial = nil, 0
local function send(c, retries, count, rows, recipients)
  call, serial = call or redis.call('HINCRBY', ring, 'calls', 1), serial + 1
  local run_id = call_id .. '-' .. call .. '-' .. serial
  redis.call('HSET', c.prefix .. 'runs', run_id, 'q|' .. now .. '|' .. rows)
  enqueue(queue, messages, run_id, table.concat({
    '{"queue_name":"send_email","actor_name":"SendEmail","args":["', c.id, '","', c.generation, '",[', recipients,
    ']],"kwargs":{},"options":{"redis_message_id":"', run_id, '"', retries == '0' and '' or ',"retries":' .. retries,
    '},"message_id":"', run_id, '","message_timestamp":', string.format('%.0f', now), '}' }))
  c.tokens, c.left, c.turn, c.changed = c.tokens - count, c.left - count, c.turn + count / c.weight, true
  account_tokens, account_left = account_tokens - count, account_left - count
  reply.released = reply.released + count
end

-- one recipient of a domain that has room again -> whether there was one
local function send_parked(c)
  local parked = c.prefix .. 'parked'
  for _, domain in ipairs(redis.call('ZRANGEBYSCORE', parked, '-inf', now, 'LIMIT', 0, PARKED_DOMAINS)) do
    local d = room_for(domain)
    if d.left >= 1 then
      local entry = redis.call('LPOP', parked .. ':' .. domain)
      if entry then
        local retries, recipient = string.match(entry, '^(%d+)|(.*)$')
        d.left, d.tokens, c.parked = d.left - 1, (d.tokens or 0) - 1, c.parked - 1
        send(c, retries, 1, row_of(recipient), recipient)
        return true
      end
      redis.call('ZREM', parked, domain)
    else
      redis.call('ZADD', parked, now + math.max(20, math.ceil((1 - d.tokens) / d.rate)), domain)
    end
  end
  return false
end

local function park(c, domain, retries, recipient)
  redis.call('ZADD', c.prefix .. 'parked', 'NX', now, domain)
  redis.call('RPUSH', c.prefix .. 'parked:' .. domain, retries .. '|' .. recipient)
  c.parked = c.parked + 1
end

-- whether a recipient's domain takes one more now; counts it where it does
local function domain_takes(domain)
  local d = room_for(domain)
  if d.left < 1 then
    return false
  end
  d.left, d.tokens = d.left - 1, (d.tokens or 0) - 1
  return true
end

-- a run from the deferred or the waiting recipients: as many as may go now, all of the same number of retries -> whether there were
-- any; those whose domain is at its limit are parked
local function send_from(c, name)
  local list = c.prefix .. name
  local most = (passage == 'probe' or c.probe) and 1 or math.min(max_rows, c.left, account_left)
  local items = redis.call('LPOP', list, most) or {}
  local rows, chosen, bytes, run_retries = {}, {}, 0, nil
  for i, item in ipairs(items) do
    local retries, recipient = '0', item
    if name == 'deferred' then
      retries, recipient = string.match(item, '^(%d+)|(.*)$')
    end
    if #chosen > 0 and (retries ~= run_retries or bytes + #recipient > max_bytes) then
      for j = #items, i, -1 do
        redis.call('LPUSH', list, items[j])
      end
      c[name] = c[name] + #items - i + 1
      break
    end
    if name == 'waiting' then
      c.bytes = c.bytes + #recipient
    end
    local domain = limits and domain_of(recipient)
    if domain and not domain_takes(domain) then
      park(c, domain, retries, recipient)
    else
      chosen[#chosen + 1], rows[#rows + 1] = recipient, row_of(recipient)
      bytes, run_retries = bytes + #recipient, retries
    end
  end
  c[name] = c[name] - #items
  if #chosen > 0 then
    send(c, run_retries, #chosen, table.concat(rows, ','), table.concat(chosen, ','))
  end
  return #items > 0
end

-- one run of a campaign -> whether it had something that may go; what was put back goes before anything new
local function send_next(c)
  if c.deferred > 0 then
    return send_from(c, 'deferred')
  end
  if c.parked > 0 and send_parked(c) then
    return true
  end
  return c.waiting > 0 and c.parked < parked_max and send_from(c, 'waiting')
end

local beyond = math.max(0, room - MOST_RUNS)
room = room - beyond
table.sort(ids)
local turns = {}
for _, id in ipairs(ids) do
  local readable, c = pcall(load_campaign, id)
  if readable then
    turns[#turns + 1] = c
  else
    stand_aside(id, c)
  end
end
-- whether it is a campaign's turn before another's. Whether the provider is well, those say best who have no trouble of their own
local function before(c, other)
  if passage == 'probe' and c.probe ~= other.probe then
    return other.probe
  end
  return c.turn < other.turn
end
while room > 0 and account_left >= 1 do
  local next_one
  for _, c in ipairs(turns) do
    if not c.passed and c.left >= 1 and (not next_one or before(c, next_one)) then
      next_one = c
    end
  end
  if not next_one then
    break
  end
  local turn, released = next_one.turn, reply.released
  local taken, had_something = pcall(send_next, next_one)
  if not taken then
    stand_aside(next_one.id, had_something)
  end
  if not taken or not had_something then
    next_one.passed = true
  elseif reply.released > released then
    vtime, room = turn, room - 1
    next_one.passed = next_one.probe
  end
end
if reply.released > 0 then
  wake('send_email')
end
redis.call('HSET', ring, 'vtime', string.format('%.4f', vtime), 'tokens', string.format('%.4f', account_tokens), 'paced_at', now)
for _, d in pairs(by_domain) do
  if d.key then
    redis.call('HSET', d.key, 'tokens', string.format('%.4f', d.tokens), 'paced_at', now)
    redis.call('PEXPIRE', d.key, 2 * WINDOW_MS)
  end
end

-- feeding leaves most threads to sending, however many campaigns start at once; whoever was asked for the longest ago is fed first
local feeders, hungry = math.max(2, math.floor(slots_alive / 4)), {}
for _, c in ipairs(turns) do
  local progress = c.prefix .. 'progress'
  -- with many campaigns most have no turn in a tick, and their pace is as well reckoned later, in a while that no change of rate notices
  if c.changed or now - c.paced_at >= IDLE_MS then
    redis.call('HSET', progress, 'tokens', string.format('%.4f', c.tokens), 'paced_at', now, 'turn', string.format('%.4f', c.turn))
  end
  if c.parked ~= c.parked_before then
    redis.call('HINCRBY', progress, 'parked', c.parked - c.parked_before)
  end
  if c.bytes > 0 then
    redis.call('HINCRBY', progress, 'waiting_bytes', -c.bytes)
  end
  local low_water = math.max(low_water_min, math.min(low_water_max, c.rate * low_water_ms))
  if c.unfed and now - c.feed_asked <= FEED_AGAIN_MS then
    feeders = feeders - 1
  elseif c.unfed and c.waiting < low_water and c.parked < parked_max and c.feed_after <= now then
    hungry[#hungry + 1] = c
  end
  if not c.reconcile_at then
    redis.call('HSET', progress, 'reconcile_at', now + reconcile_ms)
  elseif c.reconcile_at <= now then
    redis.call('HSET', progress, 'reconcile_at', now + reconcile_ms)
    reply.reconcile[#reply.reconcile + 1] = c.id
  end
  if c.deferred + c.waiting + c.parked > 0 and passage ~= 'closed' then
    wait_ms = math.min(wait_ms, math.max(20, c.closed_ms, math.ceil((1 - c.tokens) / c.rate)))
  end
end
table.sort(hungry, function(a, b)
  if a.asked_at ~= b.asked_at then
    return a.asked_at < b.asked_at
  end
  return a.waiting < b.waiting or (a.waiting == b.waiting and a.id < b.id)
end)
for i = 1, math.min(#hungry, feeders) do
  redis.call('HSET', hungry[i].prefix .. 'progress', 'feed_asked', now, 'asked_at', now)
  reply.feed[i] = hungry[i].id
end
if #hungry > feeders then
  wait_ms = math.min(wait_ms, 20)
end
reply.wait_ms = room == 0 and beyond > 0 and 0 or wait_ms
return cjson.encode(reply)
