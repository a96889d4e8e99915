-- suppress: adds addresses to the suppression list.
--
-- KEYS  suppressions  suppressions_journal
-- ARGV  entries(hash reason address note at:int?)...
-- ->    { number of entries that are new, number of records in the journal }
--
-- hash: of the address, signed 64-bit; reason: unsubscribed, complained, bounced or manual
-- address: in its folded form, or "" where it is not known
-- at: when the reason came about (ms), never in the future; nil: now
--include clock
--include suppress_address
local clock, added = now_ms(), 0
for hash, reason, address, note, at in entries() do
  if suppress_address(hash, reason, address, note, math.min(at or clock, clock)) then
    added = added + 1
  end
end
return { added, redis.call('LLEN', suppressions_journal) }
