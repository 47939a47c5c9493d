-- Cancel one job of a tenant.
-- Closes: a job that starts between the look at its state and its removal.
-- KEYS: record
-- ARGV: id, tenant
local id, now = ARGV[1], now_ms()
local who = identity(id)
if who[1] ~= ARGV[2] then return 'missing' end
if who[4] == 'queued' or (who[4] == 'running' and redis.call('EXISTS', lease_key(id)) == 0) then
  end_waiting(id, who, 'cancelled', now)
  return 'cancelled'
end
if who[4] == 'running' then
  redis.call('HSET', KEYS[1], 'cancel', 'cancelled')
  redis.call('PUBLISH', P .. 'control', id)
  return 'cancelling'
end
return 'finished'
