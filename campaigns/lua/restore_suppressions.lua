-- restore_suppressions: puts entries of the object store's records back on the suppression list, without new records.
--
-- KEYS  suppressions  suppressions_journal
-- ARGV  entries(hash reason)...
-- ->    number of entries that the list did not have
--
-- reason: as in suppress
--include suppress_address
local added = 0
for hash, reason in entries() do
  if suppression_put(hash, reason) then
    added = added + 1
  end
end
return added
