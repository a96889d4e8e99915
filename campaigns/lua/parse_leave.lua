-- parse_leave: a parser stops before the end: the next one need not wait until it is taken for lost.
--
-- KEYS  campaign
-- ARGV  parser_id
-- ->    nothing
if redis.call('HGET', campaign, 'parser') == parser_id then
  redis.call('HDEL', campaign, 'parser')
end
