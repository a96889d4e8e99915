-- feeders: which campaigns shall be fed next.
-- For scripts that declare low_water_ms, low_water_min and low_water_max.
--
-- $progress  hash: feed_asked: a feeder is at work, or has been asked for, since; asked_at: when one was asked for
--            last; feed_after: not before (ms)
--include parked

--- how long a feeder that was asked for may take before another one is asked for (ms)
local FEED_AGAIN_MS = 2000

-- the one that was asked for the longest ago goes first
local function before(c, other)
  if c.asked_at ~= other.asked_at then
    return c.asked_at < other.asked_at
  end
  return c.waiting < other.waiting or (c.waiting == other.waiting and c.id < other.id)
end

-- ask_feeders(campaigns, slots, now) -> ids of the campaigns to feed, whether more are hungry. Feeding leaves most of
-- the workers' slots to sending, however many campaigns start at once
local function ask_feeders(campaigns, slots, now)
  local feeders, hungry, asked = math.max(2, math.floor(slots / 4)), {}, {}
  for _, c in ipairs(campaigns) do
    local low_water = math.max(low_water_min, math.min(low_water_max, c.rate * low_water_ms))
    if c.unfed and now - c.feed_asked <= FEED_AGAIN_MS then
      feeders = feeders - 1
    elseif c.unfed and c.waiting < low_water and c.parked < PARKED_MAX and c.feed_after <= now then
      hungry[#hungry + 1] = c
    end
  end
  table.sort(hungry, before)
  for i = 1, math.min(#hungry, feeders) do
    redis.call('HSET', hungry[i].prefix .. 'progress', 'feed_asked', now, 'asked_at', now)
    asked[i] = hungry[i].id
  end
  return asked, #hungry > feeders
end
