-- Take the mark back: the encoding was given up.
-- Closes: removing the mark of the worker that came next.
-- KEYS: mark
-- ARGV: the asker's word
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
