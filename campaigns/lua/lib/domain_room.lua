-- domain_room: how many more emails one round may dispatch to each limited domain, by its window and its pace.
-- For scripts that declare limits.
--include window
--include pace
--include domains

local rooms = {}

-- room_for(windows, domain, now) -> { left, tokens, rate }; left is how many emails may go to the domain now; windows:
-- the prefix of the account's windows
local function room_for(windows, domain, now)
  local key = windows .. domain
  local room = rooms[key]
  if not room then
    local limit = domain_limit(limits, domain)
    if limit then
      local used = window_used(key, now)
      local pace = redis.call('HMGET', key, 'tokens', 'paced_at')
      local tokens, rate = pace_refill(limit, pace[1], pace[2], now)
      room = { key = key, tokens = tokens, rate = rate, left = math.min(math.floor(tokens), limit - used) }
    else
      room = { tokens = 0, left = math.huge }
    end
    rooms[key] = room
  end
  return room
end

-- take_room(windows, domain, now) -> whether one more email may go to the domain; counts it where it may
local function take_room(windows, domain, now)
  local room = room_for(windows, domain, now)
  if room.left < 1 then
    return false
  end
  room.left, room.tokens = room.left - 1, room.tokens - 1
  return true
end

-- save_rooms(now): after the last email
local function save_rooms(now)
  for _, room in pairs(rooms) do
    if room.key then
      redis.call('HSET', room.key, 'tokens', string.format('%.4f', room.tokens), 'paced_at', now)
      redis.call('PEXPIRE', room.key, 2 * WINDOW_MS)
    end
  end
end
