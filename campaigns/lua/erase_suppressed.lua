-- erase_suppressed: records that the text of an address is to be erased from the suppression list. Its hash stays.
--
-- KEYS  suppressions  suppressions_journal
-- ARGV  hash
-- ->    1
--include clock
--include suppress_address
suppression_record(hash, 'erased', '', '', now_ms())
return 1
