-- delete_campaign: removes a campaign with all its keys.
--
-- KEYS  1 campaign  2 flight  3 campaigns  4 parsing  5 parked  6... all its keys   ARGV  1 campaign id
-- ->    nil; { "missing" }; { state that does not allow it, rows in flight }
--include parked
local status = redis.call('HGET', KEYS[1], 'status')
if not status then
  return { 'missing', 0 }
end
local in_flight = redis.call('HLEN', KEYS[2])
if status == 'running' or in_flight > 0 then
  return { status, in_flight }
end
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
drop_parked(KEYS[5])
for i = 6, #KEYS do
  redis.call('DEL', KEYS[i])
end
return nil
