-- Keep the vectors of texts; the oldest ones go when there are too many.
-- Closes: a vector that no index knows, and so no bound; a mark that outlives the encoding.
-- KEYS: index of vectors, then for each its vector and its mark
-- ARGV: ms to keep them, how many are kept, then for each its name in the index and the vector
local P, t = 'clipline:', redis.call('TIME')
local now_us, kept_ms = t[1] * 1000000 + t[2], ARGV[1]
local count, named = (#KEYS - 1) / 2, {}
for i = 1, count do
  redis.call('SET', KEYS[2 * i], ARGV[2 * i + 2], 'PX', kept_ms)
  redis.call('DEL', KEYS[2 * i + 1])
  named[2 * i - 1], named[2 * i] = now_us, ARGV[2 * i + 1]
end
redis.call('ZADD', KEYS[1], unpack(named))
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now_us - kept_ms * 1000)
-- A little at a time, when the bound was lowered.
local over = math.min(16 * count, redis.call('ZCARD', KEYS[1]) - ARGV[2])
if over > 0 then
  local old = redis.call('ZPOPMIN', KEYS[1], over)
  for i = 1, #old, 2 do redis.call('DEL', P .. 'vector:' .. old[i]) end
end
return count
