-- still_dead: which of the rows that dead letters name have no end yet; the others are forgotten.
--
-- KEYS  1 dead  2 done  3 failed   ARGV  rows   -> rows
local rows = {}
for _, row in ipairs(ARGV) do
  if redis.call('GETBIT', KEYS[2], row) == 0 and redis.call('GETBIT', KEYS[3], row) == 0 then
    rows[#rows + 1] = row
  else
    redis.call('SREM', KEYS[1], row)
  end
end
return rows
