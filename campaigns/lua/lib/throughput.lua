-- throughput: how many emails of a campaign were accepted and failed over time, for the plot of its whole run.
--
-- $throughput  string of unsigned numbers of 32 bits: the time of the first point (s), seconds per point, and for each
--              point: accepted, failed, the limit when the first of them was recorded (0: unknown)
--
-- A point begins as 10 s. When the points are used up, neighbours are added up, two or more to one.
--include limit

local PLOT_POINTS = 720
local PLOT_POINT_S = 10

local function u32(raw, place)
  local a, b, c, d = string.byte(raw, place * 4 + 1, place * 4 + 4)
  return ((a * 256 + b) * 256 + c) * 256 + d
end

local function as_u32(number)
  number = math.min(number, 4294967295)
  return string.char(math.floor(number / 16777216), math.floor(number / 65536) % 256, math.floor(number / 256) % 256,
    number % 256)
end

-- make each point stand for factor times its time
local function plot_coarsen(key, start, width, factor)
  local raw = redis.call('GET', key)
  local points = math.ceil((#raw / 4 - 2) / 3)
  raw = raw .. string.rep('\0', 8 + points * 12 - #raw)
  local coarse = { as_u32(start), as_u32(width * factor) }
  for first = 0, points - 1, factor do
    local accepted, failed, limit = 0, 0, 0
    for point = first, math.min(first + factor, points) - 1 do
      local found = u32(raw, 4 + point * 3)
      accepted, failed = accepted + u32(raw, 2 + point * 3), failed + u32(raw, 3 + point * 3)
      limit = found > 0 and found or limit
    end
    coarse[#coarse + 1] = as_u32(accepted) .. as_u32(failed) .. as_u32(limit)
  end
  redis.call('SET', key, table.concat(coarse))
end

-- plot_add(key, campaign, now, accepted, failed): count outcomes at this time
local function plot_add(key, campaign, now, accepted, failed)
  local head = redis.call('BITFIELD', key, 'GET', 'u32', '#0', 'GET', 'u32', '#1')
  local start, width, seconds = head[1], head[2], math.floor(now / 1000)
  if width == 0 then
    start, width = seconds - seconds % PLOT_POINT_S, PLOT_POINT_S
    redis.call('BITFIELD', key, 'SET', 'u32', '#0', start, 'SET', 'u32', '#1', width)
  end
  local factor = 1
  while (seconds - start) / (width * factor) >= PLOT_POINTS do
    factor = factor * 2
  end
  if factor > 1 then
    plot_coarsen(key, start, width, factor)
    width = width * factor
  end
  local place = 2 + 3 * math.max(0, math.floor((seconds - start) / width))
  local counts = redis.call('BITFIELD', key, 'OVERFLOW', 'SAT', 'INCRBY', 'u32', '#' .. place, accepted,
    'INCRBY', 'u32', '#' .. place + 1, failed)
  if counts[1] + counts[2] == accepted + failed then
    redis.call('BITFIELD', key, 'SET', 'u32', '#' .. place + 2, limit_now(campaign, now))
  end
end
