-- Hand a running job back to the queue, now or after a delay.
-- Closes: a job handed back by a worker that no longer holds it; a deploy that costs an attempt. A job that was asked
-- to stop meanwhile is due at once, and the next claim ends it.
-- KEYS: queue
-- ARGV: policy, id, worker, delay ms, '1' when the attempt does not count, problem of the attempt or ''
local policy = cmsgpack.unpack(ARGV[1])
local id, worker, delay_ms = ARGV[2], ARGV[3], tonumber(ARGV[4])
if not holds(id, worker) then return 0 end
redis.call('DEL', lease_key(id))
local now, rec, who = now_ms(), record(id), identity(id)
if ARGV[5] == '1' then
  if redis.call('HINCRBY', rec, 'attempts', -1) < 1 then redis.call('HDEL', rec, 'first') end
  if redis.call('DECR', 'arq:retry:' .. id) < 1 then redis.call('DEL', 'arq:retry:' .. id) end
end
if ARGV[6] ~= '' then remember(id, now, ARGV[6]) end
if redis.call('HEXISTS', rec, 'cancel') == 1 then delay_ms = 0 end
if delay_ms > 0 then
  redis.call('ZADD', KEYS[1], now + delay_ms, id)
else
  redis.call('ZADD', KEYS[1], redis.call('HGET', lane_key(who[5]), 'v') or 1, id)
end
redis.call('HSET', rec, 'due', now + delay_ms)
redis.call('HDEL', rec, 'worker', 'started')
move(id, who, 'queued', now, policy, now + delay_ms)
wake()
return 1
