-- held: recipients whose domain is at its limit.
--
--- the most recipients that a campaign holds; beyond, it waits for their domains
local HELD_MAX = 5000

-- drop_held(held): forget them all
local function drop_held(held)
  for _, domain in ipairs(redis.call('ZRANGE', held, 0, -1)) do
    redis.call('DEL', held .. ':' .. domain)
  end
  redis.call('DEL', held)
end
