-- A worker has claimed a job that it was running all the time, after its lease had lapsed: no attempt began, and none was
-- lost. `promote` in `claim.lua` kept since when it ran.
-- Closes: correcting the record of a job that another worker has taken meanwhile, or that has ended.
-- KEYS: record
-- ARGV: id, worker, attempts, crashes, arq's count of tries; as they were before
local id, rec = ARGV[1], KEYS[1]
if redis.call('GET', lease_key(id)) ~= ARGV[2] then return 0 end
local found = redis.call('HMGET', rec, 'crashes', 'told', 'since')
if tonumber(found[1] or 0) > tonumber(ARGV[4]) then
  -- Another worker, which found the lease lapsed, has written down that its holder is gone.
  redis.call('HDEL', rec, 'h' .. found[2])
  redis.call('HINCRBY', rec, 'told', -1)
end
redis.call('HSET', rec, 'attempts', ARGV[3], 'crashes', ARGV[4])
if found[3] then
  redis.call('HSET', rec, 'started', found[3])
  redis.call('HDEL', rec, 'since')
end
if tonumber(ARGV[5]) > 1 then
  redis.call('SET', 'arq:retry:' .. id, ARGV[5], 'EX', TRIES_KEPT_S)
else
  redis.call('DEL', 'arq:retry:' .. id)
end
return 1
