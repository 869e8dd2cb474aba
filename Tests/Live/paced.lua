-- replay.lua of the benchmarks with a rest after each answer; run from the root of the sources.
dofile("Tests/Benchmarks/replay.lua")

-- Milliseconds that a connection waits before its next request.
function delay()
    return 5
end
