-- parked: recipients whose domain is at its limit.
--
--- the most recipients that a campaign parks; beyond, it waits for their domains
local PARKED_MAX = 5000

-- drop_parked(parked): forget them all
local function drop_parked(parked)
  for _, domain in ipairs(redis.call('ZRANGE', parked, 0, -1)) do
    redis.call('DEL', parked .. ':' .. domain)
  end
  redis.call('DEL', parked)
end
