-- read_history: reads a page of a history, the newest entries first. It writes nothing.
--
-- KEYS  history
-- ARGV  before:int  limit:int
-- ->    { number of all entries, entries... }
--
-- before: only entries with a lower number; 0: all. $history: see lib/history. Its numbers have no gaps.
local newest = redis.call('LINDEX', history, -1)
if not newest then
  return { 0 }
end
local skipped = before > 0 and math.max(0, cjson.decode(newest).number - before + 1) or 0
local found = { redis.call('LLEN', history) }
local entries = redis.call('LRANGE', history, -skipped - limit, -skipped - 1)
for i = #entries, 1, -1 do
  found[#found + 1] = entries[i]
end
return found
