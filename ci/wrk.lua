-- What wrk counted, as one line of JSON at the end of its output; its own text rounds, and leaves out what is zero.
function done(summary)
    local errors = summary.errors
    print(string.format('{"requests": %d, "microseconds": %d, "bytes": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d, "status": %d}',
        summary.requests, summary.duration, summary.bytes, errors.connect, errors.read, errors.write, errors.timeout, errors.status))
end
