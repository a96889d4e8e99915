-- prefetch_requests: for which campaigns a worker reads the next slices of the list.
-- For scripts that declare low_water_ms, low_water_min and low_water_max.
--
-- $progress  hash: prefetch_asked: a prefetcher has been asked for, or is at work, since (ms), or 0; prefetch_asked_at:
--            when one was asked for last; prefetch_after: not before (ms)
--include held

--- how long a prefetcher that was asked for may take before another one is asked for (ms)
local PREFETCH_AGAIN_MS = 2000

-- the one that was asked for the longest ago goes first
local function before(c, other)
  if c.prefetch_asked_at ~= other.prefetch_asked_at then
    return c.prefetch_asked_at < other.prefetch_asked_at
  end
  return c.ready < other.ready or (c.ready == other.ready and c.id < other.id)
end

-- request_prefetch(campaigns, slots, now) -> ids of the campaigns to prefetch, whether more are below their low-water
-- mark. Prefetching leaves most of the workers' slots to sending, however many campaigns start at once
local function request_prefetch(campaigns, slots, now)
  local prefetchers, below_low_water, asked = math.max(2, math.floor(slots / 4)), {}, {}
  for _, c in ipairs(campaigns) do
    local low_water = math.max(low_water_min, math.min(low_water_max, c.rate * low_water_ms))
    if c.has_more and now - c.prefetch_asked <= PREFETCH_AGAIN_MS then
      prefetchers = prefetchers - 1
    elseif c.has_more and c.ready < low_water and c.held < HELD_MAX and c.prefetch_after <= now then
      below_low_water[#below_low_water + 1] = c
    end
  end
  table.sort(below_low_water, before)
  for i = 1, math.min(#below_low_water, prefetchers) do
    redis.call('HSET', below_low_water[i].prefix .. 'progress', 'prefetch_asked', now, 'prefetch_asked_at', now)
    asked[i] = below_low_water[i].id
  end
  return asked, #below_low_water > prefetchers
end
