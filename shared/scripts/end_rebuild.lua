-- Give up reindexing, so that nobody waits for it.
-- Closes: ending the job that took the collection next.
-- KEYS: rebuild, changed
-- ARGV: job
if redis.call('HGET', KEYS[1], 'job') == ARGV[1] then redis.call('DEL', KEYS[1], KEYS[2]) end
return 1
