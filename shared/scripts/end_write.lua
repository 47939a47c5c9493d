-- End a write, and remember what it changed for a reindex that goes on meanwhile.
-- Closes: a change that a reindex does not see. One whose worker is gone, and may come back, must begin anew.
-- KEYS: rebuild, writers, changed
-- ARGV: job, then the ids that may have changed
redis.call('SREM', KEYS[2], ARGV[1])
local rebuild = redis.call('HGET', KEYS[1], 'job')
if not rebuild then return 0 end
if redis.call('EXISTS', 'arq:in-progress:' .. rebuild) == 0 then
  redis.call('DEL', KEYS[1], KEYS[3])
elseif ARGV[2] then
  redis.call('SADD', KEYS[3], unpack(ARGV, 2))
end
return 1
