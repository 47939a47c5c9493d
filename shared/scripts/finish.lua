-- End a running job: result, record, index, event, lease and queue entry change together.
-- Closes: a result without its event; a worker that lost its lease writing over its successor's result.
-- KEYS: queue
-- ARGV: id, worker, state, result (arq envelope) or '', result ttl ms, problem or '', timings or ''
local id, worker, state, problem = ARGV[1], ARGV[2], ARGV[3], ARGV[6]
if not holds(id, worker) then return 0 end
-- First what frees memory: then Redis, when it has none left, does not refuse the rest.
if state == 'succeeded' then
  redis.call('DEL', lease_key(id), 'arq:retry:' .. id, P .. 'blob:' .. id)
  keep_request(id, ARGV[5])
else
  redis.call('DEL', lease_key(id), 'arq:retry:' .. id)
  keep_body(id)
end
local now, rec = now_ms(), record(id)
local who = redis.call('HMGET', rec, 'tenant', 'session', 'client_id', 'state', 'lane', 'cancel', 'error')
if state == 'cancelled' and who[6] == 'superseded' then state, problem = 'superseded', problem_of('superseded') end

if ARGV[4] ~= '' then redis.call('SET', 'arq:result:' .. id, ARGV[4], 'PX', ARGV[5]) end
redis.call('ZREM', KEYS[1], id)
if who[6] or who[7] then redis.call('HDEL', rec, 'cancel', 'error') end
local told = {'finished', now}
if problem ~= '' then
  remember(id, now, problem)
  told[3], told[4] = 'error', problem
end
if ARGV[7] ~= '' then told[#told + 1], told[#told + 2] = 'timings', ARGV[7] end
move(id, who, state, now, nil, unpack(told))
redis.call('EXPIRE', rec, KEEP_S)
if state == 'dead' then trim_dead(who[1], now) end
return 1
