-- unsuppress: removes an address from the suppression list, whatever the reason for which it is there.
--
-- KEYS  suppressions  suppressions_journal
-- ARGV  hash  address  note
-- ->    1 if the list had it, else 0
--
-- note: why it is removed
--include clock
--include suppress_address
return release_address(hash, address, note, now_ms()) and 1 or 0
