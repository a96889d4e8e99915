-- history: what happened to a campaign or to the installation. A script writes it in the same call as the change.
--
-- A history is a list, the oldest entry first, of JSON objects:
-- { number: grows by one; at (ms); event; by: who did it; reason; details: { name: value } }
-- postrider:{id}:history: of a campaign, beside its hash $campaign; postrider:history: of the installation

--- the most entries of one history; the oldest ones make room
local HISTORY_MOST = 1000
--- an entry with a count that repeats the last one within this time (ms) adds its count to that one
local HISTORY_MERGE_MS = 600000

--- the most outgoing events that wait; further ones are counted and dropped
local OUTGOING_MOST = 10000
--- the events of a campaign that go to the receiver of outgoing events, if there is one
local OUTGOING = { list_parsed = true, list_rejected = true, scheduled = true, unscheduled = true, start_failed = true,
  started = true, paused = true, resumed = true, completed = true, reopened = true, cancelled = true }

-- no entry holds an email address, so that erasing one need not search the histories
local function without_addresses(text)
  return (string.gsub(text, '[^%s<>"\',;:()]+@[^%s<>"\',;:()]+', '(address)'))
end

local function is_repeated(last, entry)
  if not entry.details or not entry.details.count or not last.details or last.event ~= entry.event
      or last.by ~= entry.by or last.reason ~= entry.reason or entry.at - last.at > HISTORY_MERGE_MS then
    return false
  end
  for name, value in pairs(entry.details) do
    if name ~= 'count' and last.details[name] ~= value then
      return false
    end
  end
  return true
end

-- note_in(history, now, by, event, details or nil, reason or nil) -> the entry, if it is a new one. No script fails
-- because a history has the wrong type
local function note_in(history, now, by, event, details, reason)
  for name, value in pairs(details or {}) do
    details[name] = type(value) == 'string' and without_addresses(value) or value
  end
  local entry = { number = 1, at = now, by = by, event = event, details = details,
    reason = reason and reason ~= '' and without_addresses(reason) or nil }
  local newest = redis.pcall('LINDEX', history, -1)
  if type(newest) == 'string' then
    local last = cjson.decode(newest)
    if is_repeated(last, entry) then
      last.details.count = last.details.count + entry.details.count
      redis.pcall('LSET', history, -1, cjson.encode(last))
      return nil
    end
    entry.number = last.number + 1
  end
  -- LTRIM may not come first while Redis is out of memory: after one write Redis lets all others of a script pass
  if type(redis.pcall('RPUSH', history, cjson.encode(entry))) == 'number' then
    redis.pcall('LTRIM', history, -HISTORY_MOST, -1)
  end
  return entry
end

-- an entry of a campaign's history waits for its delivery to the receiver of outgoing events
--
-- $events  hash: on_until: there is a receiver until then (ms); nonce, seq: of the events' ids; dropped: how many were
local function announce(campaign, entry)
  local events = string.match(campaign, '^[^:]+') .. ':events'
  local state = redis.call('HMGET', events, 'on_until', 'nonce')
  if (tonumber(state[1]) or 0) <= entry.at then
    return
  end
  if redis.call('HLEN', events .. '_waiting') >= OUTGOING_MOST then
    redis.call('HINCRBY', events, 'dropped', 1)
    return
  end
  local id = string.format('msg_%s%d', state[2], redis.call('HINCRBY', events, 'seq', 1))
  entry.campaign_id = string.match(campaign, '{(.*)}')
  redis.call('HSET', events .. '_waiting', id, cjson.encode(entry))
  redis.call('ZADD', events .. '_due', entry.at, id)
end

-- note(campaign, now, by, event, details or nil, reason or nil): the campaign's own history
local function note(campaign, now, by, event, details, reason)
  local entry = note_in((string.gsub(campaign, 'campaign$', 'history')), now, by, event, details, reason)
  if entry and OUTGOING[event] then
    pcall(announce, campaign, entry)
  end
end

-- note_installation(campaign, now, by, event, details or nil, reason or nil): in the history of the installation
local function note_installation(campaign, now, by, event, details, reason)
  note_in(string.match(campaign, '^[^:]+') .. ':history', now, by, event, details, reason)
end

-- note_step(campaign, now, by, event, from, to, reason or nil): the campaign's state has changed
local function note_step(campaign, now, by, event, from, to, reason)
  note(campaign, now, by, event, { from = from, to = to }, reason)
end

local HISTORY_CHANGES = { tpm = 'rate_changed', account = 'account_changed' }

-- note_change(campaign, now, by, field, value): the campaign's rate (tpm) or account is about to change
local function note_change(campaign, now, by, field, value)
  local before = redis.call('HGET', campaign, field)
  if before and before ~= tostring(value) then
    note(campaign, now, by, HISTORY_CHANGES[field],
      { from = tonumber(before) or before, to = tonumber(value) or value })
  end
end
