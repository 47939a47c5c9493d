-- End the leases of a worker whose process is known to be gone: its jobs are due at once, idle workers are woken, and
-- nobody lists it any more. `claim.lua` counts what a worker lost, here as when a lease lapses by itself.
-- Closes: ending the lease of whoever took the job since.
-- KEYS: none
-- ARGV: worker, then every lane
-- Returns how many jobs it held.
local worker, now, held = ARGV[1], now_ms(), 0
redis.call('DEL', P .. 'worker:' .. worker)
redis.call('ZREM', P .. 'workers', worker)
for i = 2, #ARGV do
  -- No more than all workers have places.
  for _, id in ipairs(redis.call('ZRANGE', lane_key(ARGV[i], 'running'), 0, -1)) do
    if redis.call('GET', lease_key(id)) == worker then
      redis.call('DEL', lease_key(id))
      redis.call('ZADD', queue_key(ARGV[i]), 'XX', now, id)
      wake(ARGV[i])
      held = held + 1
    end
  end
end
return held
