-- clock: the one clock of the system.
-- now_ms() -> milliseconds since 1970 by this server's clock
local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
