-- worker_life: when a worker is dead.
--
--- the silence after which a worker is dead and its slots no longer count (ms)
local WORKER_DEAD_MS = 10000
