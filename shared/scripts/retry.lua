-- Run an ended job again under its own id.
-- Closes: two retries of one job; a retry of a job whose body is gone.
-- KEYS: record, arq body, kept body
-- ARGV: id, tenant, body ttl ms, max depth, keep events
local id, now = ARGV[1], now_ms()
local who = identity(id)
if who[1] ~= ARGV[2] then return 'missing' end
if who[4] == 'queued' or who[4] == 'running' then return 'open' end
if who[4] == 'succeeded' then return 'succeeded' end
if redis.call('EXISTS', KEYS[3]) == 0 then return 'gone' end
local queue = P .. 'queue:' .. redis.call('HGET', KEYS[1], 'lane')
if redis.call('ZCARD', queue) >= tonumber(ARGV[4]) then return 'full' end
redis.call('RENAME', KEYS[3], KEYS[2])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('PEXPIRE', P .. 'blob:' .. id, ARGV[3])
redis.call('DEL', 'arq:result:' .. id, 'arq:retry:' .. id)
redis.call('HDEL', KEYS[1], 'error', 'finished', 'started', 'worker', 'timings', 'cancel', 'deadline')
redis.call('HSET', KEYS[1], 'attempts', 0)
redis.call('PERSIST', KEYS[1])
redis.call('ZADD', queue, now, id)
move(id, who, 'queued', now, ARGV[5])
wake()
return 'queued'
