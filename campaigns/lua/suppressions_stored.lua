-- suppressions_stored: takes records out of the journal that are in the object store now.
--
-- KEYS  suppressions_journal
-- ARGV  seq:int
-- ->    number of records taken out
--
-- seq: of the last record that is stored; a process that comes too late finds its records taken out already
local first = redis.call('LINDEX', suppressions_journal, 0)
if not first then
  return 0
end
local stored = math.max(0, seq - tonumber(string.match(first, '^[^\t]*\t(%d+)')) + 1)
redis.call('LTRIM', suppressions_journal, stored, -1)
return stored
