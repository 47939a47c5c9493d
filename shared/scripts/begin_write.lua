-- Begin to write into a collection.
-- Closes: a write into what a reindex is about to replace.
-- KEYS: tenant's collections, rebuild, writers
-- ARGV: name, job
-- Returns the collection's record, 0 when there is none, or 1: not now, soon.
local known = redis.call('HGET', KEYS[1], ARGV[1])
if not known then return 0 end
local found = redis.call('HMGET', KEYS[2], 'job', 'closing')
if found[2] and redis.call('EXISTS', 'arq:in-progress:' .. found[1]) == 1 then return 1 end
redis.call('SADD', KEYS[3], ARGV[2])
redis.call('EXPIRE', KEYS[3], 86400)
return known
