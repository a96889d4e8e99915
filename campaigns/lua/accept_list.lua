-- accept_list: gives the campaign a new list and puts the message that parses it on the queue, in one step. A list that it has already,
-- told once more, changes nothing.
--
-- KEYS  1 campaign  2 progress  3 parsing  4 queue  5 queue's messages  6 parked  7... the keys of the list before
-- ARGV  1 campaign id  2 generation  3 message id  4 message  5 object key  6 column of the addresses
--       7... further field, value in turn for the campaign
-- ->    { "ok", object key before }, { "same", generation in use } or { "refused", status }; { "missing" }
--include clock
--include enqueue
--include parked
local status = redis.call('HGET', KEYS[1], 'status')
if not status then
  return { 'missing', '' }
end
local before = redis.call('HMGET', KEYS[1], 'object_key', 'email_column', 'generation')
if before[1] == ARGV[5] and before[2] == ARGV[6] then
  return { 'same', before[3] }
end
if status ~= 'draft' and status ~= 'ready' and status ~= 'rejected' and status ~= 'parsing' then
  return { 'refused', status }
end
drop_parked(KEYS[6])
for i = 7, #KEYS do
  redis.call('DEL', KEYS[i])
end
redis.call('DEL', KEYS[2])
redis.call('HDEL', KEYS[1], 'reason', 'parser', 'start_when_ready')
redis.call('HSET', KEYS[1], 'status', 'parsing', 'generation', ARGV[2], 'object_key', ARGV[5], 'email_column', ARGV[6])
for i = 7, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
end
redis.call('ZADD', KEYS[3], now_ms(), ARGV[1])
enqueue(KEYS[4], KEYS[5], ARGV[3], ARGV[4])
wake('parse_csv')
return { 'ok', before[1] or '' }
