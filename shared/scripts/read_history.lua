-- What a session asked, newest first, and its members' names, as they are at one moment.
-- KEYS: session
-- ARGV: tenant, session, how many
local tenant, session = ARGV[1], ARGV[2]
local owner = use_session(tenant, session)
if not owner then return false end
local kept = redis.call('LRANGE', session_key(tenant, owner, ':history'), 0, ARGV[3] - 1)
return {kept, redis.call('HGETALL', session_key(tenant, owner, ':members'))}
