-- wrk's script: walks through a file of paths, with the headers of a phone's mail client.
-- Arguments: the file, and "close" for one connection a request.
local requests, count, at = {}, 0, 0

function init(arguments)
  local headers = {
    ["Host"] = "click.example.com",
    ["User-Agent"] = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) "
      .. "AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    ["Accept"] = "image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5",
    ["Accept-Language"] = "en-US,en;q=0.9",
    ["Accept-Encoding"] = "gzip, deflate, br",
  }
  if arguments[2] == "close" then headers["Connection"] = "close" end
  for path in io.lines(arguments[1]) do
    count = count + 1
    requests[count] = wrk.format("GET", path, headers)
  end
end

function request()
  at = at % count + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %f, "errors": %d, "p50_ms": %f, "p99_ms": %f}\n',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
