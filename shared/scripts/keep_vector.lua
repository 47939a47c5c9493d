-- Keep a text's vector; the oldest ones go when there are too many.
-- Closes: a vector that no index knows, and so no bound; a mark that outlives the encoding.
-- KEYS: vector, mark, index of vectors
-- ARGV: the vector's name in the index, vector, ms to keep it, how many are kept
local P, t = 'clipline:', redis.call('TIME')
local now_us = t[1] * 1000000 + t[2]
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[2])
redis.call('ZADD', KEYS[3], now_us, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now_us - ARGV[3] * 1000)
-- A little at a time, when the bound was lowered.
local over = math.min(16, redis.call('ZCARD', KEYS[3]) - ARGV[4])
if over > 0 then
  local old = redis.call('ZPOPMIN', KEYS[3], over)
  for i = 1, #old, 2 do redis.call('DEL', P .. 'vector:' .. old[i]) end
end
return 1
