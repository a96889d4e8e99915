-- give_up: rows whose outcome Redis refuses to record become unknown, as far as can be: the cause is a key of the
-- campaign that holds what it should not, and each step here may be refused too. A row that cannot be made unknown
-- keeps its claim, so that no worker sends it again; expire_claims does it once the key is mended.
--
-- KEYS  campaign  flight  unknown  reasons  done  failed  progress  running
-- ARGV  campaign_id  generation  worker_id  outcomes(row nonce reason)...
-- ->    { rows that are unknown now, rows that keep their claim }
--
-- nonce: of the row's claim, or ""
--
-- $flight, $unknown: see admit, settle
--include clock
--include finish
--include claim
local found, now = redis.pcall('HGET', campaign, 'generation'), now_ms()
if type(found) ~= 'table' and found ~= generation then
  return { 0, 0 }
end
local function is_refused(answer)
  return type(answer) == 'table' and answer.err ~= nil
end
local function is_anothers(claim, nonce)
  return not is_refused(claim) and not is_claim_of(claim, worker_id, nonce)
end

local given_up, kept = 0, 0
for row, nonce, reason in outcomes() do
  if not is_anothers(redis.pcall('HGET', flight, row), nonce) then
    local final = redis.pcall('GETBIT', done, row) == 1 or redis.pcall('GETBIT', failed, row) == 1
    if not final and is_refused(redis.pcall('ZADD', unknown, now, row)) then
      kept = kept + 1
    else
      redis.pcall('HDEL', flight, row)
      if not final then
        redis.pcall('HSET', reasons, row, reason)
        given_up = given_up + 1
      end
    end
  end
end
pcall(complete_if_done, campaign, progress, unknown, running, campaign_id, now)
return { given_up, kept }
