-- Take a collection for reindexing: from now on the items that change are remembered.
-- Closes: two jobs that reindex one collection. A job whose lease is gone no longer does.
-- KEYS: rebuild, changed
-- ARGV: job
-- Returns the job that has it already, or ''.
local other = redis.call('HGET', KEYS[1], 'job')
if other and other ~= ARGV[1] and redis.call('EXISTS', 'arq:in-progress:' .. other) == 1 then return other end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'job', ARGV[1])
return ''
