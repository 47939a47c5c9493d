-- Replace a collection's record.
-- Closes: a count written after somebody dropped the collection, which would name it again.
-- KEYS: tenant's collections
-- ARGV: name, record
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
