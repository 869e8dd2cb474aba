-- wrk sends prepared requests in turn: all bytes are made before the run, so that the client costs
-- the same whichever server it asks. The argument names a file: first a line with the method, then
-- one with the body (may be empty), then one with a header `Name: value` (may be empty), then one
-- path a line. A run that needs more than the file has starts again at its first.
local requests, turn = {}, 0

function init(arguments)
    local file = assert(io.open(arguments[1], "rb"))
    local method, body, header = file:read("*l"), file:read("*l"), file:read("*l")
    local headers = {}
    local name, value = header:match("^([^:]+): (.*)$")
    if name then headers[name] = value end
    for path in file:lines() do
        requests[#requests + 1] =
            wrk.format(method, path, headers, body ~= "" and body or nil)
    end
    file:close()
    assert(#requests > 0, "no request in the file")
end

function request()
    turn = turn % #requests + 1
    return requests[turn]
end

-- One JSON object at the end, times in milliseconds.
function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '\n{"requests": %d, "seconds": %.6f, "mean": %.6f, "p50": %.6f, "p99": %.6f, ' ..
            '"wrong": %d}\n',
        summary.requests, summary.duration / 1e6, latency.mean / 1e3,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
