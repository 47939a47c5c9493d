-- Add what was counted between two places of the event stream, and move on to the second.
-- Closes: two processes that count the same events; counts without their place, or a place without its counts.
-- KEYS: account
-- ARGV: the place that was read from or '', fields of the account (msgpack map), sums and highs (msgpack arrays of
--       {key, seconds kept, map from field to number})
-- Returns 0 when another process was faster, and then changes nothing.
if (redis.call('HGET', KEYS[1], 'offset') or '') ~= ARGV[1] then return 0 end
for field, value in pairs(cmsgpack.unpack(ARGV[2])) do redis.call('HSET', KEYS[1], field, value) end
for _, row in ipairs(cmsgpack.unpack(ARGV[3])) do
  for field, count in pairs(row[3]) do redis.call('HINCRBY', row[1], field, count) end
  redis.call('EXPIRE', row[1], row[2])
end
for _, row in ipairs(cmsgpack.unpack(ARGV[4])) do
  for field, value in pairs(row[3]) do
    if value > tonumber(redis.call('HGET', row[1], field) or -1) then redis.call('HSET', row[1], field, value) end
  end
  redis.call('EXPIRE', row[1], row[2])
end
return 1
