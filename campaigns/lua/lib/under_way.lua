-- under_way: whether a campaign has been started and is not over.
--
-- is_under_way(status)
local function is_under_way(status)
  return status == 'running' or status == 'paused'
end
