-- erase_waiting: overwrites rows among the recipients that wait to be dispatched. They have failed before, so that no
-- one sends what is left of them; it stays in its place, and as long as it was, so that no counter has to change.
--
-- KEYS  ready  requeued  held
-- ARGV  domain  rows...
-- ->    number of recipients that were overwritten
--
-- domain: of the address, in lower case
--
-- $ready  list: [row,"address",[values]]   $requeued  list: retries|recipient   $held:<domain>  list: as $requeued
local wanted = {}
for _, row in ipairs(rows) do
  wanted[row] = true
end
-- recipients looked at per command
local BLOCK = 500

local function overwritten(item)
  local head, row = string.match(item, '^(%d*|?%[(%d+),")')
  if not row or not wanted[row] then
    return nil
  end
  local tail = '",[]]'
  return head .. string.rep('x', #item - #head - #tail) .. tail
end

local count = 0
for _, list in ipairs({ ready, requeued, held .. ':' .. domain }) do
  for first = 0, redis.call('LLEN', list) - 1, BLOCK do
    for i, item in ipairs(redis.call('LRANGE', list, first, first + BLOCK - 1)) do
      local other = overwritten(item)
      if other then
        redis.call('LSET', list, first + i - 1, other)
        count = count + 1
      end
    end
  end
end
return count
