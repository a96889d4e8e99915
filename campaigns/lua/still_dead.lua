-- still_dead: which of the rows that dead letters name have no end yet; the others are forgotten.
--
-- KEYS  dead  done  failed
-- ARGV  rows...
-- ->    rows
local open = {}
for _, row in ipairs(rows) do
  if redis.call('GETBIT', done, row) == 0 and redis.call('GETBIT', failed, row) == 0 then
    open[#open + 1] = row
  else
    redis.call('SREM', dead, row)
  end
end
return open
