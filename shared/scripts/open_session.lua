-- Make a session, unless its tenant has as many as it may.
-- Closes: one that lives for ever, as its life was not set; more than are allowed, by many that come at once.
-- KEYS: session
-- ARGV: tenant, session, when
if too_many_sessions(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'created', ARGV[3])
redis.call('EXPIRE', KEYS[1], SESSION_S)
note_session(ARGV[1], ARGV[2])
return 1
