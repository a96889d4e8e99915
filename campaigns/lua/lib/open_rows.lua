-- open_rows: which rows of a batch may still be sent.
-- For scripts that declare claim_id, in_flight, done, failed and unknown.
--include claim

-- bits_of(rows) -> the arguments with which BITFIELD reads the rows' bits
local function bits_of(rows)
  local command = {}
  for _, row in ipairs(rows) do
    command[#command + 1] = 'GET'
    command[#command + 1] = 'u1'
    command[#command + 1] = row
  end
  return command
end

-- open_rows(rows, domains) -> the rows without an end that no one has, their domains; whether another claim holds one
-- of the others.
-- A claim that this very question has made before is given back: its row is decided about once more
local function open_rows(rows, domains)
  local open, open_domains, busy, seen = {}, {}, false, {}
  local any_unknown = redis.call('EXISTS', unknown) == 1
  local held = redis.call('HMGET', in_flight, unpack(rows))
  local bits = bits_of(rows)
  local is_done, is_failed = redis.call('BITFIELD', done, unpack(bits)), redis.call('BITFIELD', failed, unpack(bits))
  for i, row in ipairs(rows) do
    local claim = held[i]
    if claim and has_claim_id(claim, claim_id) then
      redis.call('HDEL', in_flight, row)
      claim = nil
    end
    if seen[row] then
      -- two copies of a message were both requeued, and one batch carries the row twice now: it is sent once
    elseif claim then
      busy = true
    elseif is_done[i] == 0 and is_failed[i] == 0 and not (any_unknown and redis.call('ZSCORE', unknown, row)) then
      open[#open + 1] = row
      open_domains[#open] = domains[i]
    end
    seen[row] = true
  end
  return open, open_domains, busy
end
