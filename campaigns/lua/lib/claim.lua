-- claim: a worker's hold on a row while it sends it.
--
-- $flight  hash: row -> worker id|ms of the claim|nonce of the question that claimed it
--
-- claim_by(worker_id, now, nonce) -> a new claim
local function claim_by(worker_id, now, nonce)
  return worker_id .. '|' .. now .. '|' .. nonce
end

-- has_nonce(claim, nonce) -> whether this question has made the claim
local function has_nonce(claim, nonce)
  return string.sub(claim, -#nonce) == nonce
end

-- is_claim_of(claim or false, worker_id, nonce) -> whether the worker has made it, by this question; nonce "" for any
-- question
local function is_claim_of(claim, worker_id, nonce)
  return claim and string.sub(claim, 1, #worker_id + 1) == worker_id .. '|' and (nonce == '' or has_nonce(claim, nonce))
end
