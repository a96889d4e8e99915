-- claim: a worker's hold on a row while it sends it.
--
-- $in_flight  hash: row -> worker id|ms of the claim|account through which the row goes|claim id
--
-- claim_by(worker_id, now, account, claim_id) -> a new claim
local function claim_by(worker_id, now, account, claim_id)
  return worker_id .. '|' .. now .. '|' .. account .. '|' .. claim_id
end

-- has_claim_id(claim, claim_id) -> whether the claim has this id
local function has_claim_id(claim, claim_id)
  return string.sub(claim, -#claim_id) == claim_id
end

-- is_claim_of(claim or false, worker_id, claim_id) -> whether it is the worker's, and has this id; claim_id "": any id
local function is_claim_of(claim, worker_id, claim_id)
  local is_workers = claim and string.sub(claim, 1, #worker_id + 1) == worker_id .. '|'
  return is_workers and (claim_id == '' or has_claim_id(claim, claim_id))
end
