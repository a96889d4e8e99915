-- note: adds an entry to a history, for changes that no other script makes.
--
-- KEYS  history
-- ARGV  by  event  reason  details:json?
-- ->    nil
--
-- reason: "" for none
--include clock
--include history
note_in(history, now_ms(), by, event, details, reason)
return nil
