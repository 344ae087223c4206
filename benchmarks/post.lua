-- wrk script: POSTs one file, `-- BODY_FILE "Name: value"...`, and prints what it saw as one line of JSON.
-- Only wrk.body and wrk.headers are set: without a request() or response() function wrk builds the request once.

function init(args)
   local file = assert(io.open(args[1], "rb"))
   wrk.method = "POST"
   wrk.body = file:read("*a")
   file:close()
   for i = 2, #args do
      local name, value = args[i]:match("^(.-): (.*)$")
      wrk.headers[name] = value
   end
end

function done(summary, latency, requests)
   local errors = summary.errors
   print(string.format(
      '{"requests": %d, "duration_us": %d, "errors": %d, "p50_us": %d, "p99_us": %d}',
      summary.requests, summary.duration,
      errors.connect + errors.read + errors.write + errors.status + errors.timeout,
      latency:percentile(50), latency:percentile(99)))
end
