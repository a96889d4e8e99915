-- batches: takes recipients of a campaign from its lists and puts them on the queue, as one batch.
-- For scripts that declare dispatcher, queue and messages, call_id and limits, and what dispatch_accounts needs.
--
-- $ready       list: [row,"address",[values]]   $requeued  list: retries|recipient
-- $held        zset: domain by when it may have room again (ms); $held:<domain>  list: as $requeued
-- $batches     hash: batch id -> q|ms|rows: dispatched
-- $dispatcher  hash: calls: the number of calls that dispatched something
--
-- A round is { now, dispatched }. For a campaign c, see fair_queueing; its next batch goes through the account c.via.
--include held
--include domain_room
--include enqueue
--include envelope

--- the most recipients of a batch, unless its campaign has a larger number, and their most bytes
local BATCH_ROWS = 64
local BATCH_BYTES = 256 * 1024
--- domains whose held recipients one round looks at, for each campaign
local HELD_DOMAINS = 20

local function row_of(recipient)
  return string.match(recipient, '^%[(%d+)')
end

-- a call that is repeated because its answer was lost makes new ids
local call, serial = nil, 0
local function send(round, c, retries, count, rows, recipients)
  call, serial = call or redis.call('HINCRBY', dispatcher, 'calls', 1), serial + 1
  local batch_id = call_id .. '-' .. call .. '-' .. serial
  redis.call('HSET', c.prefix .. 'batches', batch_id, 'q|' .. round.now .. '|' .. rows)
  enqueue(queue, messages, batch_id, send_email_message(batch_id, c, retries, recipients, round.now))
  c.tokens, c.left, c.vtime, c.changed = c.tokens - count, c.left - count, c.vtime + count / c.weight, true
  local via = c.via
  via.tokens, via.left, via.probed = via.tokens - count, via.left - count, true
  via.slots_left = via.slots_left and via.slots_left - 1
  round.dispatched = round.dispatched + count
end

-- one recipient of a domain that has room again -> whether there was one
local function dispatch_held(round, c)
  local held, now, windows = c.prefix .. 'held', round.now, c.via.domain_prefix
  for _, domain in ipairs(redis.call('ZRANGEBYSCORE', held, '-inf', now, 'LIMIT', 0, HELD_DOMAINS)) do
    local room = room_for(windows, domain, now)
    if room.left >= 1 then
      local entry = redis.call('LPOP', held .. ':' .. domain)
      if entry then
        local retries, recipient = string.match(entry, '^(%d+)|(.*)$')
        take_room(windows, domain, now)
        c.held = c.held - 1
        send(round, c, retries, 1, row_of(recipient), recipient)
        return true
      end
      redis.call('ZREM', held, domain)
    else
      redis.call('ZADD', held, now + math.max(20, math.ceil((1 - room.tokens) / room.rate)), domain)
    end
  end
  return false
end

local function hold(round, c, domain, retries, recipient)
  redis.call('ZADD', c.prefix .. 'held', 'NX', round.now, domain)
  redis.call('RPUSH', c.prefix .. 'held:' .. domain, retries .. '|' .. recipient)
  c.held = c.held + 1
end

-- the items from place i on go back to the head of the list
local function give_back(list, items, i)
  for j = #items, i, -1 do
    redis.call('LPUSH', list, items[j])
  end
end

-- a batch from the requeued or the ready recipients: as many as may go now, all with the same number of retries ->
-- whether there were any; those whose domain is at its limit are held
local function send_from(round, c, name)
  local list = c.prefix .. name
  local one_row = c.probe or c.via.state == 'half-open'
  local most = one_row and 1 or math.min(math.max(BATCH_ROWS, c.batch_rows), c.left, c.via.left)
  local items = redis.call('LPOP', list, most) or {}
  local rows, chosen, bytes, batch_retries = {}, {}, 0, nil
  local taken = #items
  for i, item in ipairs(items) do
    local retries, recipient = '0', item
    if name == 'requeued' then
      retries, recipient = string.match(item, '^(%d+)|(.*)$')
    end
    if #chosen > 0 and (retries ~= batch_retries or bytes + #recipient > BATCH_BYTES) then
      give_back(list, items, i)
      taken = i - 1
      break
    end
    if name == 'ready' then
      c.bytes = c.bytes + #recipient
    end
    local domain = limits and domain_of(recipient)
    if domain and not take_room(c.via.domain_prefix, domain, round.now) then
      hold(round, c, domain, retries, recipient)
    else
      chosen[#chosen + 1], rows[#rows + 1] = recipient, row_of(recipient)
      bytes, batch_retries = bytes + #recipient, retries
    end
  end
  c[name] = c[name] - taken
  if #chosen > 0 then
    send(round, c, batch_retries, #chosen, table.concat(rows, ','), table.concat(chosen, ','))
  end
  return #items > 0
end

-- send_next(round, c): one batch of a campaign -> whether it had something that may go. What was put back goes before
-- anything new
local function send_next(round, c)
  if c.requeued > 0 then
    return send_from(round, c, 'requeued')
  end
  if c.held > 0 and dispatch_held(round, c) then
    return true
  end
  return c.ready > 0 and c.held < HELD_MAX and send_from(round, c, 'ready')
end
