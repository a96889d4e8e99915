-- parse_leave: releases the list of a parser that stops early, so that the next parser need not wait for its timeout.
--
-- KEYS  campaign
-- ARGV  parser_id
-- ->    nothing
if redis.call('HGET', campaign, 'parser') == parser_id then
  redis.call('HDEL', campaign, 'parser')
end
