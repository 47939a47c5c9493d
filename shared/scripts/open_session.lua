-- Make a session. Closes: one that lives for ever, as its life was not set.
-- KEYS: session
-- ARGV: tenant, session, when
redis.call('HSET', KEYS[1], 'created', ARGV[3])
redis.call('EXPIRE', KEYS[1], SESSION_S)
return 1
