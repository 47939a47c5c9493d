-- Cancel one job of a tenant.
-- Closes: a job that starts between the look at its state and its removal.
-- KEYS: record
-- ARGV: policy, id, tenant
local policy, id, now = cmsgpack.unpack(ARGV[1]), ARGV[2], now_ms()
local who = identity(id)
if who[1] ~= ARGV[3] then return 'missing' end
if who[4] == 'queued' or (who[4] == 'running' and redis.call('EXISTS', lease_key(id)) == 0) then
  end_waiting(id, who, 'cancelled', now, policy)
  return 'cancelled'
end
if who[4] == 'running' then
  redis.call('HSET', KEYS[1], 'cancel', 'cancelled')
  redis.call('PUBLISH', P .. 'control', id)
  return 'cancelling'
end
return 'finished'
