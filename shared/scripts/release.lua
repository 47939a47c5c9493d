-- Hand a running job back to the queue, now or after a delay.
-- Closes: a job handed back by a worker that no longer holds it; a deploy that costs an attempt. A job that was asked
-- to stop meanwhile is due at once, and the next claim ends it.
-- KEYS: queue
-- ARGV: id, worker, delay ms, '1' when the attempt does not count, problem of the attempt or '',
--       another lane where it goes on, if any
local id, worker, delay_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
if not holds(id, worker) then return 0 end
redis.call('DEL', lease_key(id))
local now, rec, who = now_ms(), record(id), identity(id)
if ARGV[4] == '1' and redis.call('HINCRBY', rec, 'attempts', -1) < 1 then redis.call('HDEL', rec, 'first') end
if ARGV[5] ~= '' then remember(id, now, ARGV[5]) end
if redis.call('HEXISTS', rec, 'cancel') == 1 then delay_ms = 0 end
local lane = ARGV[6] or who[5]
if lane ~= who[5] then
  -- Its collection has another model since.
  redis.call('ZREM', KEYS[1], id)
  redis.call('ZREM', lane_key(who[5], who[4]), id)
  redis.call('HSET', rec, 'lane', lane)
  who[5] = lane
end
if delay_ms > 0 then
  redis.call('ZADD', queue_key(lane), now + delay_ms, id)
else
  redis.call('ZADD', queue_key(lane), redis.call('HGET', lane_key(who[5], 'finish'), V) or 1, id)
end
redis.call('HDEL', rec, 'worker', 'started')
move(id, who, 'queued', now, now + delay_ms, 'due', now + delay_ms)
wake(who[5])
return 1
