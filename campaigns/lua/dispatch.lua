-- dispatch: one round of the dispatcher: heartbeat, lease, and what may go from the campaigns' lists to Dramatiq's
-- queue now, by pace and by weighted fair queueing.
--
-- KEYS  lease  running  dispatcher  workers  slots  worker_accounts  parsing  queue  messages  claims  schedule
-- ARGV  worker_id  own_slots:int  own_accounts  call_id  key_prefix  reconcile_ms:int  claim_lost_ms:int
--       low_water_ms:int  low_water_min:int  low_water_max:int  accounts:json  fallback_after_ms:int  limits:json?
-- ->    JSON: { leader, wait_ms, idle, dispatched, prefetch: [ids], reconcile: [ids], parse: [ids],
--       expired: [[id, rows]], refused: [ids],
--       windows: [ids], now_ms }
--       idle: no campaign runs, so the next round is due late, or when the dispatcher is notified
--       prefetch, reconcile, parse: campaigns for which the caller sends such a message
--       expired: campaigns whose rows in flight have become unknown, and how many
--       windows: campaigns whose sending windows have to be computed anew
--       refused: campaigns that have been paused because Redis refuses one of their keys
--
-- own_slots, own_accounts: of this worker; call_id: for the ids of new messages; reconcile_ms: the time between two
-- reconciliations
-- claim_lost_ms: the age at which any claim is given up; accounts, fallback_after_ms: see accounts
-- limits: the domains'
-- low_water_ms, low_water_min, low_water_max: how many recipients a campaign keeps ready: those of this time, at least,
-- at most
--
-- $running  set of campaigns   $lease, $workers, $slots: see lease   $parsing, $claims: see due
-- $dispatcher  hash: vtime: the virtual time; see also lease, batches, dispatch_accounts
-- Of each running campaign, all with its prefix: campaign, progress, ready, requeued, held, batches, window, breaker.
-- $progress  hash: ready_bytes; held; cursor; refeed; reconcile_at (ms); waits_for: a worker that does not know the
--            campaign's account, so that nothing is sent; see also fair_queueing, prefetch_requests
--include clock
--include lease
--include due
--include due_starts
--include fair_queueing
--include batches
--include account_slots
--include prefetch_requests

--- the time until the next round (ms): as a rule; where another worker dispatches; while no campaign runs, far below
--- the silence after which a worker is dead; and where something can go soon, at least
local ROUND_MS, OTHERS_ROUND_MS, IDLE_ROUND_MS, MIN_ROUND_MS = 100, 500, 2000, 20
--- the most batches and recipients of one call: Redis answers no one else meanwhile. Where there is room for more, the
--- next call follows at once
local MAX_BATCHES, MAX_RECIPIENTS = 128, 8192

local now = now_ms()
sign_of_life(now)
local due_ms = start_all_due(now)
local ids = redis.call('SMEMBERS', running)
local idle = #ids == 0
if not take_lease(idle and IDLE_ROUND_MS or 0) then
  return cjson.encode({ leader = false, idle = idle, wait_ms = idle and IDLE_ROUND_MS or OTHERS_ROUND_MS })
end
local reply = { leader = true, idle = idle, reconcile = {}, refused = {}, windows = {}, now_ms = now }
local wait_ms = math.min(idle and IDLE_ROUND_MS or ROUND_MS, due_ms or math.huge)
reply.parse = lost_parsers(now)
reply.expired = expire_due_claims(now)

-- room on the queue: enough to keep every worker's threads busy, not so much that a late campaign waits behind it
local all_slots = slots_alive(now)
local room = all_slots - redis.call('LLEN', queue)
local more_room = room > MAX_BATCHES
room = math.min(room, MAX_BATCHES)

local vtime = tonumber(redis.call('HGET', dispatcher, 'vtime')) or 0
local round = { now = now, dispatched = 0 }

-- a campaign with a key that Redis refuses, as it holds a wrong type, is paused with the reason and delays no other
local function stand_aside(id, problem)
  local reason = 'Redis refuses this campaign: ' .. tostring(type(problem) == 'table' and problem.err or problem)
  redis.call('SREM', running, id)
  local key = key_prefix .. ':{' .. id .. '}:campaign'
  redis.pcall('HSET', key, 'status', 'paused', 'reason', reason)
  note_step(key, now, 'system', 'paused', 'running', 'paused', reason)
  reply.refused[#reply.refused + 1] = id
end

local campaigns = {}
table.sort(ids)
for _, id in ipairs(ids) do
  local readable, c = pcall(read_campaign, id, vtime, now)
  if readable then
    campaigns[#campaigns + 1] = c
    check_account(c, now)
  else
    stand_aside(id, c)
  end
end

count_slots(campaigns, all_slots, now)
while room > 0 and round.dispatched < MAX_RECIPIENTS do
  local c = next_campaign(campaigns, now)
  if not c then
    break
  end
  local c_vtime, dispatched = c.vtime, round.dispatched
  local sent, had_something = pcall(send_next, round, c)
  if not sent then
    stand_aside(c.id, had_something)
  end
  if not sent or not had_something then
    c.excluded = true
  elseif round.dispatched > dispatched then
    vtime, room = c_vtime, room - 1
    c.excluded = c.probe
  end
end
if round.dispatched > 0 then
  notify('send_email')
end
redis.call('HSET', dispatcher, 'vtime', string.format('%.4f', vtime))
save_paces(now)
save_rooms(now)

for _, c in ipairs(campaigns) do
  save_campaign(c, now)
  if c.stale_windows then
    reply.windows[#reply.windows + 1] = c.id
  end
  if not c.reconcile_at or c.reconcile_at <= now then
    redis.call('HSET', c.prefix .. 'progress', 'reconcile_at', now + reconcile_ms)
  end
  if c.reconcile_at and c.reconcile_at <= now then
    reply.reconcile[#reply.reconcile + 1] = c.id
  end
  wait_ms = math.min(wait_ms, ms_to_next(c, now, MIN_ROUND_MS))
end
local more_below
reply.prefetch, more_below = request_prefetch(campaigns, all_slots, now)
if more_below then
  wait_ms = math.min(wait_ms, MIN_ROUND_MS)
end
if round.dispatched >= MAX_RECIPIENTS or room == 0 and more_room then
  wait_ms = 0
end
reply.dispatched, reply.wait_ms = round.dispatched, wait_ms
return cjson.encode(reply)
