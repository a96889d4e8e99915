-- renew_windows: stores a campaign's next open intervals, unless its windows have changed meanwhile.
--
-- KEYS  campaign
-- ARGV  windows  open_windows
-- ->    1 where they have been stored
--
-- windows: from which the intervals were computed; open_windows: see lib/windows
--include enqueue
if redis.call('HGET', campaign, 'windows') ~= windows then
  return 0
end
redis.call('HSET', campaign, 'open_windows', open_windows)
notify('dispatch')
return 1
