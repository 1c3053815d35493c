-- wrk -s wrk.lua URL -- BODYFILE: posts the file's JSON and tells the figures as one line of JSON.
local request_text

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local headers = { ["content-type"] = "application/json" }
  request_text = wrk.format("POST", nil, headers, file:read("*a"))
  file:close()
end

function request()
  return request_text
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"us":%d,"p50":%d,"p99":%d,"failed":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout
  ))
end
