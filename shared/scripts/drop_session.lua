-- End a session before its time; of a team's session its members' own as well, as what they hold is the team's.
-- Closes: a member's session without its team; a team that a member joins while it ends.
-- KEYS: session
-- ARGV: tenant, session
-- Returns how many sessions ended.
local tenant, session = ARGV[1], ARGV[2]
local found = redis.call('HMGET', KEYS[1], 'created', 'team', 'name')
if not found[1] then return 0 end
local seats, members = session_key(tenant, found[2] or session, ':seats'), {}
if not found[2] then
  members = redis.call('HVALS', seats)
elseif redis.call('HGET', seats, found[3]) == session then
  redis.call('HDEL', seats, found[3])
end
local ended = 1
for _, member in ipairs(members) do
  if redis.call('EXISTS', session_key(tenant, member)) == 1 then
    end_session(tenant, member)
    ended = ended + 1
  end
end
end_session(tenant, session)
return ended
