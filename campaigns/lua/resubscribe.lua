-- resubscribe: takes addresses off the suppression list whose owners have subscribed again. Entries with another reason
-- than "unsubscribed" stay.
--
-- KEYS  suppressions  suppressions_journal
-- ARGV  entries(hash address at:int?)...
-- ->    { number of entries that are taken off, number of records in the journal }
--
-- hash: of the address, signed 64-bit; address: in its folded form
-- at: when they did (ms), never in the future; nil: now
--include clock
--include suppress_address
local clock, removed = now_ms(), 0
for hash, address, at in entries() do
  if resubscribe_address(hash, address, math.min(at or clock, clock)) then
    removed = removed + 1
  end
end
return { removed, redis.call('LLEN', suppressions_journal) }
