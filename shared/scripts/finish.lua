-- End a running job: result, record, index, event, lease and queue entry change together.
-- Closes: a result without its event; a worker that lost its lease writing over its successor's result.
-- KEYS: queue
-- ARGV: id, worker, state, result (arq envelope) or '', result ttl ms, problem or '', timings or '', keep s, keep events,
--       superseded problem
local id, worker, state = ARGV[1], ARGV[2], ARGV[3]
local lease = 'arq:in-progress:' .. id
if redis.call('GET', lease) ~= worker then return 0 end
local now, keep_s = now_ms(), tonumber(ARGV[8])
local rec, who = record(id), identity(id)
local problem = ARGV[6]
if state == 'cancelled' and redis.call('HGET', rec, 'cancel') == 'superseded' then
  state, problem = 'superseded', ARGV[10]
end

if ARGV[4] ~= '' then redis.call('SET', 'arq:result:' .. id, ARGV[4], 'PX', ARGV[5]) end
if state == 'succeeded' then
  redis.call('DEL', 'arq:job:' .. id, P .. 'blob:' .. id)
else
  keep_body(id, keep_s)
end
redis.call('DEL', lease, 'arq:retry:' .. id)
redis.call('ZREM', KEYS[1], id)
redis.call('ZREM', 'arq:abort', id)
redis.call('HSET', rec, 'finished', now)
redis.call('HDEL', rec, 'cancel')
if problem ~= '' then redis.call('HSET', rec, 'error', problem) else redis.call('HDEL', rec, 'error') end
if ARGV[7] ~= '' then redis.call('HSET', rec, 'timings', ARGV[7]) end
redis.call('EXPIRE', rec, keep_s)
move(id, who, state, now, ARGV[9])
return 1
