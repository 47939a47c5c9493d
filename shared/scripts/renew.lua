-- Renew the leases that a worker still holds. Returns, for each job: 'ok', 'lost' or why it was asked to stop.
-- A lease that lapsed while Redis was away is taken again when nobody else took the job.
-- Closes: renewing a lease that another worker has taken meanwhile.
-- KEYS: none
-- ARGV: worker, lease ms, then for each job: id, lane
local worker, lease_ms, now, out = ARGV[1], tonumber(ARGV[2]), now_ms(), {}
for i = 3, #ARGV, 2 do
  local id = ARGV[i]
  if not holds(id, worker) or redis.call('HGET', record(id), 'state') ~= 'running' then
    out[#out + 1] = 'lost'
  else
    redis.call('SET', lease_key(id), worker, 'PX', lease_ms)
    redis.call('ZADD', queue_key(ARGV[i + 1]), 'XX', now + lease_ms, id)
    out[#out + 1] = redis.call('HGET', record(id), 'cancel') or 'ok'
  end
end
return out
