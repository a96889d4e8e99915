-- accepted: records all accepted rows in a few commands, because nearly all settled rows are accepted ones.
-- For scripts that declare worker_id, progress, in_flight, done, failed, unknown and reasons.
--include claim

-- set_bits(bitmap, rows, value) -> how many of the rows' bits had the other value
local function set_bits(bitmap, rows, value)
  local command, changed = {}, 0
  for _, row in ipairs(rows) do
    command[#command + 1] = 'SET'
    command[#command + 1] = 'u1'
    command[#command + 1] = row
    command[#command + 1] = value
  end
  for _, before in ipairs(redis.call('BITFIELD', bitmap, unpack(command))) do
    if before ~= value then
      changed = changed + 1
    end
  end
  return changed
end

-- record_accepted(rows) -> how many were not done before: they are done, also where their claims are gone
local function record_accepted(rows)
  local ours = {}
  for i, claim in ipairs(redis.call('HMGET', in_flight, unpack(rows))) do
    if is_claim_of(claim, worker_id, '') then
      ours[#ours + 1] = rows[i]
    end
  end
  if #ours > 0 then
    redis.call('HDEL', in_flight, unpack(ours))
  end
  redis.call('ZREM', unknown, unpack(rows))
  redis.call('HDEL', reasons, unpack(rows))
  local new = set_bits(done, rows, 1)
  redis.call('HINCRBY', progress, 'done', new)
  if redis.call('EXISTS', failed) == 1 then
    redis.call('HINCRBY', progress, 'failed', -set_bits(failed, rows, 0))
  end
  return new
end
