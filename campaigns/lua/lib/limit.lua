-- limit: what a campaign may send in a minute now: its TPM, or less while it warms up.
--
-- limit_now(campaign, now) -> transactions per minute
-- $campaign  hash: tpm; ramp_from, ramp_to, ramp_ms: from the one to the other, evenly, in so many ms from started_at
--            on
local function limit_now(campaign, now)
  local c = redis.call('HMGET', campaign, 'tpm', 'ramp_from', 'ramp_to', 'ramp_ms', 'started_at')
  local tpm = tonumber(c[1])
  if not c[2] or c[2] == '' then
    return tpm
  end
  local share = math.min(1, (now - (tonumber(c[5]) or now)) / tonumber(c[4]))
  return math.max(1, math.min(tpm, math.floor(tonumber(c[2]) + (tonumber(c[3]) - tonumber(c[2])) * share)))
end
