-- brake_acceptance: a person accepts the figures for which the brake holds a campaign. From then on the brake counts
-- what is sent after that alone. The figures of an account whose brake has paused it start anew.
--
-- $campaign, $progress, $before_brake  see brake, account_brake   $in_flight, $done  see rows
--
-- accept_brake(k): k names the keys: campaign, progress, before_brake, in_flight, done
local function accept_brake(k)
  local reputation = redis.call('HGET', k.campaign, 'braked_for')
  if reputation then
    redis.call('DEL', reputation)
  end
  redis.call('HDEL', k.campaign, 'braked', 'braked_for')
  redis.call('BITOP', 'OR', k.before_brake, k.done)
  for _, row in ipairs(redis.call('HKEYS', k.in_flight)) do
    redis.call('SETBIT', k.before_brake, row, 1)
  end
  redis.call('HSET', k.progress, 'brake_from', redis.call('HGET', k.progress, 'done') or 0, 'brake_delivered', 0,
    'brake_bounced', 0, 'brake_complained', 0)
end
