-- still_dead: returns the rows of dead letters that are not final yet, and forgets the others.
--
-- KEYS  dead  done  failed
-- ARGV  rows...
-- ->    rows
--include rows
local open = {}
for _, row in ipairs(rows) do
  if not has_end(done, failed, row) then
    open[#open + 1] = row
  else
    redis.call('SREM', dead, row)
  end
end
return open
