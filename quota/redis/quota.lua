-- What accounts use. KEYS are that of the upload, and two of each account: a hash of what
-- it has stored (bytes, files), of what is reserved (reserved, in bytes) and of when its
-- rate has recovered (full); and a sorted set of the reservations, "id:bytes" by their end.
-- The upload's is "r:" and the bytes that are reserved for it, "s:" and the bytes that it was
-- settled with, "c" if it was cancelled, and "d" if its file was released. Times are in
-- microseconds by the clock of the server, but for those to live, which are in milliseconds.

local op, id, bytes = ARGV[1], ARGV[2], tonumber(ARGV[3])
local upload = KEYS[1]
local accounts = (#KEYS - 1) / 2
local clock = redis.call("TIME")
local now = clock[1] * 1000000 + clock[2]

local function text(n) return string.format("%.0f", n) end

-- read ends the reservations of an account that have come to their end, and returns what
-- it uses.
local function read(k)
  local account, reserved = KEYS[2 * k], KEYS[2 * k + 1]
  local ended = redis.call("ZRANGEBYSCORE", reserved, "-inf", text(now), "LIMIT", 0, 500)
  if #ended > 0 then
    local sum = 0
    for _, member in ipairs(ended) do sum = sum + string.match(member, "(%d+)$") end
    redis.call("ZREM", reserved, unpack(ended))
    redis.call("HINCRBY", account, "reserved", text(0 - sum))
  end
  local got = redis.call("HMGET", account, "bytes", "files", "reserved", "full")
  return {
    bytes = tonumber(got[1] or 0), files = tonumber(got[2] or 0), reserved = tonumber(got[3] or 0),
    uploads = redis.call("ZCARD", reserved), full = math.max(0, tonumber(got[4] or 0) - now),
  }
end

local function numbers(u) return u.bytes, u.files, u.reserved, u.uploads, u.full end

-- store adds to what an account has stored, which does not fall below nothing.
local function store(k, more, files)
  local u = read(k)
  redis.call("HSET", KEYS[2 * k], "bytes", text(math.max(0, u.bytes + more)), "files", text(math.max(0, u.files + files)))
end

-- live lets an account live as long as it has stored something, or has a reservation, or
-- its rate has not recovered.
local function live(k)
  local account, reserved = KEYS[2 * k], KEYS[2 * k + 1]
  local last = redis.call("ZRANGE", reserved, -1, -1, "WITHSCORES")[2]
  local ms = 120000
  if last then ms = math.max(ms, math.ceil((last - now) / 1000) + 60000) end
  redis.call("PEXPIRE", reserved, text(ms))
  local got = redis.call("HMGET", account, "bytes", "files")
  if tonumber(got[1] or 0) == 0 and tonumber(got[2] or 0) == 0 then
    redis.call("PEXPIRE", account, text(ms))
  else
    redis.call("PERSIST", account)
  end
end

-- giveBack ends what is reserved.
local function giveBack(state)
  local reserved = string.match(state or "", "^r:(%d+)$")
  if not reserved then return end
  for k = 1, accounts do
    if redis.call("ZREM", KEYS[2 * k + 1], id .. ":" .. reserved) == 1 then
      redis.call("HINCRBY", KEYS[2 * k], "reserved", text(0 - reserved))
    end
  end
end

local ops = {}

function ops.reserve()
  if redis.call("EXISTS", upload) == 1 then return {} end
  local length, used = tonumber(ARGV[4]), {}
  for k = 1, accounts do
    local u = read(k)
    used[k] = u
    local a = 1 + 4 * k
    local most, files, uploads, every = tonumber(ARGV[a]), tonumber(ARGV[a + 1]), tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3])
    if most >= 0 and u.bytes + u.reserved + bytes > most
      or files >= 0 and u.files + u.uploads >= files
      or uploads >= 0 and u.uploads >= uploads
      or every > 0 and u.full + every > 60000000 then
      return {k, numbers(u)}
    end
  end
  for k = 1, accounts do
    redis.call("HINCRBY", KEYS[2 * k], "reserved", text(bytes))
    redis.call("ZADD", KEYS[2 * k + 1], text(now + length), id .. ":" .. text(bytes))
    local every = tonumber(ARGV[4 + 4 * k])
    if every > 0 then redis.call("HSET", KEYS[2 * k], "full", text(now + used[k].full + every)) end
    live(k)
  end
  redis.call("SET", upload, "r:" .. text(bytes), "PX", text(math.ceil(length / 1000) + 60000))
  return {}
end

function ops.settle()
  local state, keep = redis.call("GET", upload) or "", tonumber(ARGV[4])
  if state == "c" then return {1} end
  if string.sub(state, 1, 2) == "s:" then
    if redis.call("PTTL", upload) < keep then redis.call("PEXPIRE", upload, text(keep)) end
    return {}
  end
  giveBack(state)
  for k = 1, accounts do
    store(k, bytes, 1)
    live(k)
  end
  redis.call("SET", upload, "s:" .. text(bytes), "PX", text(keep))
  return {}
end

function ops.cancel()
  local state = redis.call("GET", upload) or ""
  if state ~= "" and string.sub(state, 1, 2) ~= "r:" then return {} end
  giveBack(state)
  redis.call("SET", upload, "c", "PX", ARGV[4])
  return {}
end

function ops.release()
  local state = redis.call("GET", upload) or ""
  if state ~= "" and string.sub(state, 1, 2) ~= "s:" then return {} end
  local less = tonumber(string.match(state, "^s:(%d+)$") or bytes)
  for k = 1, accounts do
    store(k, -less, -1)
    live(k)
  end
  redis.call("SET", upload, "d", "PX", ARGV[4])
  return {}
end

function ops.adjust()
  store(1, bytes, tonumber(ARGV[4]))
  live(1)
  return {}
end

function ops.usage()
  local all = {}
  for k = 1, accounts do
    for _, n in ipairs({numbers(read(k))}) do table.insert(all, n) end
  end
  return all
end

return ops[op]()
