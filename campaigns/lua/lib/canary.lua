-- canary: a campaign that pauses itself once, after a number of emails, so that people can look at the first ones.
--
-- $campaign  hash: pause_after: that number, "" or absent for none; canary_over: "1" once it has paused for that
--
-- canary_left(pause_after, canary_over, done, in_flight, unknown) -> how many emails may still be admitted; math.huge
-- without a canary. Rows that fail are not counted: others take their place
local function canary_left(pause_after, canary_over, done, in_flight, unknown)
  local most = tonumber(pause_after or '')
  if not most or canary_over then
    return math.huge
  end
  return math.max(0, most - (tonumber(done) or 0) - redis.call('HLEN', in_flight) - redis.call('ZCARD', unknown))
end

-- canary_is_met(pause_after, canary_over, done, failed, unknown_rows) -> whether the campaign pauses now. A row with an
-- unknown outcome may have been sent. As many failed rows are a reason too
local function canary_is_met(pause_after, canary_over, done, failed, unknown_rows)
  local most = tonumber(pause_after or '')
  return most ~= nil and not canary_over and (done + unknown_rows >= most or failed >= most)
end
