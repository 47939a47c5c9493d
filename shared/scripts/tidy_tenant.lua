-- Trim the ledger of a tenant that may be idle, a little at a time.
-- Closes: a trim beside a submit of the same tenant, which trims too.
-- KEYS: tenants
-- ARGV: tenant
-- Returns how many jobs went; a tenant without jobs is no longer looked after.
local tenant, now = ARGV[1], now_ms()
local gone = trim(tenant, now) + trim_dead(tenant, now)
if redis.call('EXISTS', tenant_key(tenant, 'jobs')) == 0 then redis.call('ZREM', KEYS[1], tenant) end
return gone
