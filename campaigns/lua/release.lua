-- release: one tick of the releasing worker: heartbeat, lease, and what may go from the campaigns' waiting sides to
-- Dramatiq's queue now, by pace and by turns.
--
-- KEYS  lease  running  ring  workers  slots  parsing  gate  queue  messages  account  claims
-- ARGV  worker_id  own_slots:int  call_id  key_prefix  reconcile_ms:int  claim_lost_ms:int
--       low_water_ms:int  low_water_min:int  low_water_max:int  account_limit:int  limits:json?  domain_prefix
-- ->    JSON: { leader, wait_ms, idle, released, feed: [ids], reconcile: [ids], parse: [ids], expired: [[id, rows]],
--       refused: [ids] }
--       idle: no campaign runs, so that the next tick is due late, or when the release is rung for
--       feed, reconcile, parse: campaigns for which the caller shall send such a message; expired: whose rows in flight
--       are unknown now
--       refused: campaigns that have been paused, as Redis refuses one of their keys
--
-- own_slots: of this worker; call_id: for the ids of new messages; reconcile_ms: the time between two reconciliations
-- claim_lost_ms: the age at which any claim is given up; account_limit: 0 for none; limits: the domains'
-- low_water_ms, low_water_min, low_water_max: what a campaign keeps waiting: recipients of so much time, at least, at
-- most
-- domain_prefix: of the domains' windows
--
-- $running  set of campaigns   $lease, $workers, $slots: see lease   $parsing, $claims: see due
-- $ring     hash: vtime: the turns' virtual time; tokens, paced_at: the account's pace; see also lease, runs
-- Of each running campaign, all with its prefix: campaign, progress, waiting, deferred, parked, runs, window, gate.
-- $progress  hash: waiting_bytes; parked; cursor; again; reconcile_at (ms); see also turns, feeders
--include clock
--include lease
--include due
--include turns
--include runs
--include feeders

--- the time until the next tick (ms): as a rule; where another worker releases; while no campaign runs, far below the
--- silence after which a worker is dead; and where something can go soon, at least
local TICK_MS, OTHERS_TICK_MS, IDLE_TICK_MS, MIN_TICK_MS = 100, 500, 2000, 20
--- the most runs of one call: Redis answers no one else meanwhile. Where there is room for more, the next call follows
--- at once
local MAX_RUNS = 128

local now = now_ms()
sign_of_life(now)
local ids = redis.call('SMEMBERS', running)
local idle = #ids == 0
if not take_lease(idle and IDLE_TICK_MS or 0) then
  return cjson.encode({ leader = false, idle = idle, wait_ms = idle and IDLE_TICK_MS or OTHERS_TICK_MS })
end
local reply = { leader = true, idle = idle, reconcile = {}, refused = {} }
local wait_ms = idle and IDLE_TICK_MS or TICK_MS
reply.parse = lost_parsers(now)
reply.expired = expire_due_claims(now)

-- room on the queue: enough to keep every worker's threads busy, not so much that a late campaign waits behind it
local all_slots = slots_alive(now)
local room = all_slots - redis.call('LLEN', queue)
local passage, closed_ms = gate_state(gate, now)
if passage == 'closed' then
  room, wait_ms = 0, math.min(wait_ms, closed_ms)
elseif passage == 'probe' then
  room = math.min(room, 1)
end
local more_room = room > MAX_RUNS
room = math.min(room, MAX_RUNS)

local turned = redis.call('HMGET', ring, 'vtime', 'tokens', 'paced_at')
local vtime = tonumber(turned[1]) or 0
local tick = { now = now, one_row = passage == 'probe', account = { tokens = 0, left = math.huge }, released = 0 }
if account_limit > 0 then
  tick.account.tokens = pace_refill(account_limit, turned[2], turned[3], now)
  tick.account.left = math.min(math.floor(tick.account.tokens), account_limit - window_used(account, now))
end

-- a campaign of whose keys Redis refuses one, as it holds what it should not, is paused with the reason and holds up no
-- other
local function stand_aside(id, problem)
  local reason = 'Redis refuses this campaign: ' .. tostring(type(problem) == 'table' and problem.err or problem)
  redis.call('SREM', running, id)
  redis.pcall('HSET', key_prefix .. ':{' .. id .. '}:campaign', 'status', 'paused', 'reason', reason)
  reply.refused[#reply.refused + 1] = id
end

local campaigns = {}
table.sort(ids)
for _, id in ipairs(ids) do
  local readable, c = pcall(read_turn, id, vtime, now)
  if readable then
    campaigns[#campaigns + 1] = c
  else
    stand_aside(id, c)
  end
end

while room > 0 and tick.account.left >= 1 do
  local c = next_turn(campaigns, passage)
  if not c then
    break
  end
  local turn, released = c.turn, tick.released
  local sent, had_something = pcall(send_next, tick, c)
  if not sent then
    stand_aside(c.id, had_something)
  end
  if not sent or not had_something then
    c.passed = true
  elseif tick.released > released then
    vtime, room = turn, room - 1
    c.passed = c.probe
  end
end
if tick.released > 0 then
  wake('send_email')
end
redis.call('HSET', ring, 'vtime', string.format('%.4f', vtime), 'tokens', string.format('%.4f', tick.account.tokens),
  'paced_at', now)
save_rooms(now)

for _, c in ipairs(campaigns) do
  save_turn(c, now)
  if not c.reconcile_at or c.reconcile_at <= now then
    redis.call('HSET', c.prefix .. 'progress', 'reconcile_at', now + reconcile_ms)
  end
  if c.reconcile_at and c.reconcile_at <= now then
    reply.reconcile[#reply.reconcile + 1] = c.id
  end
  if c.deferred + c.waiting + c.parked > 0 and passage ~= 'closed' then
    wait_ms = math.min(wait_ms, math.max(MIN_TICK_MS, c.closed_ms, math.ceil((1 - c.tokens) / c.rate)))
  end
end
local more_hungry
reply.feed, more_hungry = ask_feeders(campaigns, all_slots, now)
if more_hungry then
  wait_ms = math.min(wait_ms, MIN_TICK_MS)
end
reply.released, reply.wait_ms = tick.released, room == 0 and more_room and 0 or wait_ms
return cjson.encode(reply)
