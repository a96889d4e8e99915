-- unsuppress: removes an address from the suppression list, whatever the reason for which it is there.
--
-- KEYS  suppressions  suppressions_journal  history
-- ARGV  hash  address  why  by
-- ->    1 if the list had it, else 0
--
-- why: why it is removed; by: who removes it; history: of the installation
--include clock
--include history
--include suppress_address
local now = now_ms()
if not release_address(hash, address, why, now) then
  return 0
end
note_in(history, now, by, 'suppression_removed', nil, why)
return 1
