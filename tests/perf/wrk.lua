-- One POST, the same each time; the result is one line of JSON.
wrk.method = "POST"
wrk.headers["Authorization"] = os.getenv("BENCH_AUTHORIZATION")
wrk.headers["Content-Type"] = "text/plain"
wrk.body = string.rep("x", tonumber(os.getenv("BENCH_BODY_BYTES")))

-- Pipelining: the same request several times over. Asked for each time, which costs the load a little.
local times = tonumber(os.getenv("BENCH_PIPELINED"))
if times > 1 then
  local whole

  function init()
    whole = string.rep(wrk.format(), times)
  end

  function request()
    return whole
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "max": %d, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
