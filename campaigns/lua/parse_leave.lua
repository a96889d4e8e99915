-- parse_leave: a parser stops before the end: the next one need not wait until it is taken for lost.
--
-- KEYS  1 campaign   ARGV  1 campaign id  2 generation  3 parser id   -> nothing
if redis.call('HGET', KEYS[1], 'parser') == ARGV[3] then
  redis.call('HDEL', KEYS[1], 'parser')
end
