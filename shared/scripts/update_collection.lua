-- Replace a collection's record.
-- Closes: a count written after somebody dropped the collection, which would name it again; one that was counted before
-- the collection was reindexed, which would lead back to what is gone.
-- KEYS: tenant's collections
-- ARGV: name, record, generation
local known = redis.call('HGET', KEYS[1], ARGV[1])
if not known then return 0 end
if (cmsgpack.unpack(known).generation or 0) ~= tonumber(ARGV[3]) then return -1 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
