-- Let a reindexed collection take the place of the one before.
-- Closes: searches that find neither; a write that went into the old one after it was copied; a collection that was
-- dropped, or dropped and made again, meanwhile.
-- KEYS: tenant's collections, rebuild, writers, changed
-- ARGV: name, job, new record, generation before, when the collection was made
-- Returns 'switched', 'writing' (try again), 'changed' (copy these first), 'lost' (begin anew) or 'gone'.
local known = redis.call('HGET', KEYS[1], ARGV[1])
if not known then return 'gone' end
known = cmsgpack.unpack(known)
if (known.generation or 0) ~= tonumber(ARGV[4]) or known.created_at ~= ARGV[5] then return 'gone' end
if redis.call('HGET', KEYS[2], 'job') ~= ARGV[2] then return 'lost' end
redis.call('HSET', KEYS[2], 'closing', '1')
for _, job in ipairs(redis.call('SMEMBERS', KEYS[3])) do
  if redis.call('EXISTS', 'arq:in-progress:' .. job) == 1 then return 'writing' end
  redis.call('SREM', KEYS[3], job)
end
if redis.call('EXISTS', KEYS[4]) == 1 then return 'changed' end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('DEL', KEYS[2])
return 'switched'
