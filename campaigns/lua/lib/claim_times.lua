-- claim_times: when claims are looked at, and when a worker that has made some is dead.
--
--- the silence after which a worker is dead and its slots no longer count (ms)
local WORKER_DEAD_MS = 10000
--- the time between two looks at a campaign's claims for those that no one will settle any more (ms)
local CLAIMS_LOOK_MS = 10000
