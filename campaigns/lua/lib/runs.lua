-- runs: takes recipients of a campaign from where they wait and puts them on the queue, as one run.
-- For scripts that declare ring, queue and messages, call_id and limits.
--
-- $waiting   list: [row,"address",[values]]   $deferred  list: retries|recipient
-- $parked    zset: domain by when it may have room again (ms); $parked:<domain>  list: as deferred
-- $runs      hash: run id -> q|ms|rows: released
-- $ring      hash: calls: how many have released something
--
-- A tick is { now, one_row: whether a run has one recipient only, account: { tokens, left }, released }; a campaign c:
-- see turns.
--include parked
--include domain_room
--include enqueue
--include envelope

--- the most recipients of a run, and their most bytes
local RUN_ROWS = 64
local RUN_BYTES = 256 * 1024
--- domains whose parked recipients one tick looks at, for each campaign
local PARKED_DOMAINS = 20

local function row_of(recipient)
  return string.match(recipient, '^%[(%d+)')
end

-- a call that is repeated, as its answer was lost, makes new ids
local call, serial = nil, 0
local function send(tick, c, retries, count, rows, recipients)
  call, serial = call or redis.call('HINCRBY', ring, 'calls', 1), serial + 1
  local run_id = call_id .. '-' .. call .. '-' .. serial
  redis.call('HSET', c.prefix .. 'runs', run_id, 'q|' .. tick.now .. '|' .. rows)
  enqueue(queue, messages, run_id, send_email_message(run_id, c, retries, recipients, tick.now))
  c.tokens, c.left, c.turn, c.changed = c.tokens - count, c.left - count, c.turn + count / c.weight, true
  tick.account.tokens, tick.account.left = tick.account.tokens - count, tick.account.left - count
  tick.released = tick.released + count
end

-- one recipient of a domain that has room again -> whether there was one
local function send_parked(tick, c)
  local parked, now = c.prefix .. 'parked', tick.now
  for _, domain in ipairs(redis.call('ZRANGEBYSCORE', parked, '-inf', now, 'LIMIT', 0, PARKED_DOMAINS)) do
    local room = room_for(domain, now)
    if room.left >= 1 then
      local entry = redis.call('LPOP', parked .. ':' .. domain)
      if entry then
        local retries, recipient = string.match(entry, '^(%d+)|(.*)$')
        take_room(domain, now)
        c.parked = c.parked - 1
        send(tick, c, retries, 1, row_of(recipient), recipient)
        return true
      end
      redis.call('ZREM', parked, domain)
    else
      redis.call('ZADD', parked, now + math.max(20, math.ceil((1 - room.tokens) / room.rate)), domain)
    end
  end
  return false
end

local function park(tick, c, domain, retries, recipient)
  redis.call('ZADD', c.prefix .. 'parked', 'NX', tick.now, domain)
  redis.call('RPUSH', c.prefix .. 'parked:' .. domain, retries .. '|' .. recipient)
  c.parked = c.parked + 1
end

-- the items from place i on go back to the head of the list
local function give_back(list, items, i)
  for j = #items, i, -1 do
    redis.call('LPUSH', list, items[j])
  end
end

-- a run from the deferred or the waiting recipients: as many as may go now, all of the same number of retries ->
-- whether there were any; those whose domain is at its limit are parked
local function send_from(tick, c, name)
  local list = c.prefix .. name
  local most = (tick.one_row or c.probe) and 1 or math.min(RUN_ROWS, c.left, tick.account.left)
  local items = redis.call('LPOP', list, most) or {}
  local rows, chosen, bytes, run_retries = {}, {}, 0, nil
  local taken = #items
  for i, item in ipairs(items) do
    local retries, recipient = '0', item
    if name == 'deferred' then
      retries, recipient = string.match(item, '^(%d+)|(.*)$')
    end
    if #chosen > 0 and (retries ~= run_retries or bytes + #recipient > RUN_BYTES) then
      give_back(list, items, i)
      taken = i - 1
      break
    end
    if name == 'waiting' then
      c.bytes = c.bytes + #recipient
    end
    local domain = limits and domain_of(recipient)
    if domain and not take_room(domain, tick.now) then
      park(tick, c, domain, retries, recipient)
    else
      chosen[#chosen + 1], rows[#rows + 1] = recipient, row_of(recipient)
      bytes, run_retries = bytes + #recipient, retries
    end
  end
  c[name] = c[name] - taken
  if #chosen > 0 then
    send(tick, c, run_retries, #chosen, table.concat(rows, ','), table.concat(chosen, ','))
  end
  return #items > 0
end

-- send_next(tick, c): one run of a campaign -> whether it had something that may go; what was put back goes before
-- anything new
local function send_next(tick, c)
  if c.deferred > 0 then
    return send_from(tick, c, 'deferred')
  end
  if c.parked > 0 and send_parked(tick, c) then
    return true
  end
  return c.waiting > 0 and c.parked < PARKED_MAX and send_from(tick, c, 'waiting')
end
