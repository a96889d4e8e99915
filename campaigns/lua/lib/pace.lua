-- pace: how much may be dispatched now so that sends are spread evenly: a token bucket that refills at the limit.
--
-- The pace stays a little under the limit, so that in the steady state the window never has to refuse what was
-- dispatched.
local PACE = 0.9945
--- how much of the pace may be made up for after a delay (ms)
local BURST_MS = 500
--- how much of it may go at once at the start (ms): the window would repeat a burst at the start again
--- and again
local START_MS = 150

-- pace_refill(tpm, tokens or nil, paced_at or nil, now) -> tokens, rate per ms
-- One more than the burst is kept, so that what is left over from one round to the next is never lost.
local function pace_refill(tpm, tokens, paced_at, now)
  local rate = tpm / 60000 * PACE
  local burst = math.max(1, rate * BURST_MS)
  local before = tonumber(tokens) or math.max(1, rate * START_MS)
  return math.min(burst + 1, before + (now - (tonumber(paced_at) or now)) * rate), rate
end
