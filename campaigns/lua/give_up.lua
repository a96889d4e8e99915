-- give_up: makes rows unknown whose outcomes Redis refuses to record, as far as Redis allows. The cause is a key of the
-- campaign with a value of the wrong type, so Redis may refuse each step here too. A row that cannot become unknown
-- keeps its claim, so that no worker sends it again; expire_claims makes it unknown once the key is repaired.
--
-- KEYS  campaign  in_flight  unknown  reasons  done  failed  progress  running
-- ARGV  campaign_id  list_version  worker_id  outcomes(row claim_id reason)...
-- ->    { rows that are unknown now, rows that keep their claim }
--
-- claim_id: of the row's claim, or ""
--
-- $in_flight, $unknown: see admit, settle
--include clock
--include finish
--include claim
local found, now = redis.pcall('HGET', campaign, 'list_version'), now_ms()
if type(found) ~= 'table' and found ~= list_version then
  return { 0, 0 }
end
local function is_refused(answer)
  return type(answer) == 'table' and answer.err ~= nil
end
local function is_anothers(claim, claim_id)
  return not is_refused(claim) and not is_claim_of(claim, worker_id, claim_id)
end

local given_up, kept = 0, 0
for row, claim_id, reason in outcomes() do
  if not is_anothers(redis.pcall('HGET', in_flight, row), claim_id) then
    local final = redis.pcall('GETBIT', done, row) == 1 or redis.pcall('GETBIT', failed, row) == 1
    if not final and is_refused(redis.pcall('ZADD', unknown, now, row)) then
      kept = kept + 1
    else
      redis.pcall('HDEL', in_flight, row)
      if not final then
        redis.pcall('HSET', reasons, row, reason)
        given_up = given_up + 1
      end
    end
  end
end
pcall(complete_if_done, campaign, progress, unknown, running, campaign_id, now)
return { given_up, kept }
