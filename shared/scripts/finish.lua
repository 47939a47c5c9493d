-- End a running job: result, record, index, event, lease and queue entry change together.
-- Closes: a result without its event; a worker that lost its lease writing over its successor's result.
-- KEYS: queue
-- ARGV: policy, id, worker, state, result (arq envelope) or '', result ttl ms, problem or '', timings or ''
local policy = cmsgpack.unpack(ARGV[1])
local id, worker, state, problem = ARGV[2], ARGV[3], ARGV[4], ARGV[7]
if not holds(id, worker) then return 0 end
-- First what frees memory: then Redis, when it has none left, does not refuse the rest.
redis.call('DEL', lease_key(id), 'arq:retry:' .. id)
local now = now_ms()
local rec, who = record(id), identity(id)
if state == 'cancelled' and redis.call('HGET', rec, 'cancel') == 'superseded' then
  state, problem = 'superseded', cmsgpack.pack(policy.problems.superseded)
end

if ARGV[5] ~= '' then redis.call('SET', 'arq:result:' .. id, ARGV[5], 'PX', ARGV[6]) end
if state == 'succeeded' then
  redis.call('DEL', 'arq:job:' .. id, P .. 'blob:' .. id)
else
  keep_body(id, policy.keep_s)
end
redis.call('ZREM', KEYS[1], id)
redis.call('ZREM', 'arq:abort', id)
redis.call('HSET', rec, 'finished', now)
redis.call('HDEL', rec, 'cancel')
if problem ~= '' then
  remember(id, now, problem)
  redis.call('HSET', rec, 'error', problem)
else
  redis.call('HDEL', rec, 'error')
end
if ARGV[8] ~= '' then redis.call('HSET', rec, 'timings', ARGV[8]) end
redis.call('EXPIRE', rec, policy.keep_s)
move(id, who, state, now, policy)
if state == 'dead' then trim_dead(who[1], now, policy) end
return 1
