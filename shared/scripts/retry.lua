-- Run an ended job again under its own id.
-- Closes: two retries of one job; a retry of a job whose body is gone.
-- KEYS: record, arq body, kept body
-- ARGV: id, tenant, body ttl ms, max depth
local id, now = ARGV[1], now_ms()
local who = identity(id)
if who[1] ~= ARGV[2] then return {'missing'} end
if is_waiting_or_running(who[4]) then return {'open'} end
if who[4] == 'succeeded' then return {'succeeded'} end
if redis.call('EXISTS', KEYS[3]) == 0 then return {'gone'} end
local lane = who[5]
local depth = redis.call('ZCARD', queue_key(lane))
if depth >= tonumber(ARGV[4]) then
  return {'full', tostring(depth), wait_s(lane_key(lane, 'out:'), depth - ARGV[4] + 1, now)}
end
redis.call('RENAME', KEYS[3], KEYS[2])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('PEXPIRE', P .. 'blob:' .. id, ARGV[3])
redis.call('DEL', 'arq:result:' .. id, 'arq:retry:' .. id)
redis.call('HDEL', KEYS[1], 'error', 'finished', 'started', 'worker', 'timings', 'cancel', 'deadline', 'crashes', 'first')
redis.call('PERSIST', KEYS[1])
forget_tags_of_idle(lane)
redis.call('ZADD', queue_key(lane), tag(lane, who[1], redis.call('HGET', KEYS[1], 'weight')), id)
move(id, who, 'queued', now, now, 'attempts', 0, 'due', now)
wake(lane)
return {'queued'}
