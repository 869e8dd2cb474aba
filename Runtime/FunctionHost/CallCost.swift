// What one call through the host costs, for `make bench`: the same module is driven from C beside
// it (Tests/Benchmarks/callcost.c), and the two figures are divided.

import Foundation
import FunctionKit
import Glibc

enum CallCost {
    /// Nanoseconds a call, over at least so many milliseconds; throws when any call fails.
    static func measure(
        module: String,
        request: String,
        isolation: Isolation,
        millis: Int
    ) throws(LoadError) -> Double {
        let engine = try Engine(profile: .wide, slots: 24)
        guard let wasm = FileManager.default.contents(atPath: module),
            let asked = FileManager.default.contents(atPath: request)
        else { throw .engine("the module or the request cannot be read") }
        let isCheck = module.hasSuffix("check.wasm")
        let spec = (isCheck ? FunctionSpec.check : .unsubscribe).under(isolation)
        try ModuleScan.check(Array(wasm), spec)
        let compiled = try CompiledModule(code: try Compiler.compile(Array(wasm), engine), engine)
        let version = try FunctionVersion(compiled, spec, digest: "cost")
        let guest = try Guest(version)
        do throws(CallFailure) {
            return try loop(guest, Array(asked), isolation, nanoseconds: UInt64(millis) * 1_000_000)
        } catch { throw .engine("a call failed: \(error.word)") }
    }

    private static func loop(
        _ guest: Guest,
        _ request: [UInt8],
        _ isolation: Isolation,
        nanoseconds: UInt64
    ) throws(CallFailure) -> Double {
        var response: [UInt8] = []
        for _ in 0..<1_000 { try guest.call(request, isolation, tenant: 1, into: &response) }
        let start = now()
        var calls: UInt64 = 0
        while now() - start < nanoseconds {
            for _ in 0..<256 { try guest.call(request, isolation, tenant: 1, into: &response) }
            calls += 256
        }
        return Double(now() - start) / Double(calls)
    }

    private static func now() -> UInt64 {
        var time = timespec()
        // Cannot fail for this clock.
        _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
