-- Hand a running job back to the queue, now or after a delay.
-- Closes: a job handed back by a worker that no longer holds it; a deploy that costs an attempt. A job that was asked
-- to stop meanwhile is due at once, and the next claim ends it.
-- KEYS: queue
-- ARGV: id, worker, delay ms, '1' when the attempt does not count, keep events
local id, worker = ARGV[1], ARGV[2]
local lease = 'arq:in-progress:' .. id
if redis.call('GET', lease) ~= worker then return 0 end
local now = now_ms()
redis.call('DEL', lease)
if ARGV[4] == '1' then
  redis.call('HINCRBY', record(id), 'attempts', -1)
  if redis.call('DECR', 'arq:retry:' .. id) < 1 then redis.call('DEL', 'arq:retry:' .. id) end
end
if tonumber(ARGV[3]) > 0 and redis.call('HEXISTS', record(id), 'cancel') == 0 then
  redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), id)
end
redis.call('HDEL', record(id), 'worker', 'started')
move(id, identity(id), 'queued', now, ARGV[5])
wake()
return 1
