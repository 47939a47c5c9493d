-- Forget an ended job of a tenant.
-- Closes: dropping a job that is run again at the same moment.
-- KEYS: record
-- ARGV: id, tenant
local who = identity(ARGV[1])
if who[1] ~= ARGV[2] then return 'missing' end
if is_open(ARGV[1], who[4]) then return 'open' end
drop(ARGV[2], ARGV[1], who[4])
return 'dropped'
