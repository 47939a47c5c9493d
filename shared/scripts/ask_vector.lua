-- Give a text's vector, or mark that the asker encodes it.
-- Closes: two workers that both find nothing and both encode the same text.
-- KEYS: vector, mark
-- ARGV: the asker's word for the mark, or '' to leave none; ms that the mark stays
-- Returns the vector, 1 when the mark is the asker's now, or 0.
local found = redis.call('GET', KEYS[1])
if found then return found end
if ARGV[1] ~= '' and redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
return 0
