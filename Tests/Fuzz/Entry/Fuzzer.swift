// The door for libFuzzer: which target, one input, and a trap when there is a finding.
//
//     QUELL_FUZZ_TARGET=csv quell-fuzz FOLDER        explore (Scripts/fuzz.sh does)
//     QUELL_FUZZ_TARGET=csv quell-fuzz FILE          run one input again
//     QUELL_FUZZ_TARGET=transcript quell-fuzz        answer inputs on stdin (Scripts/fuzz_h11.py)
//
// Built with -sanitize=fuzzer, which brings its own main; the modules under test are instrumented
// so that it sees which input reaches something new.

import Glibc

private let target: FuzzTarget? = {
    let name = unsafe getenv("QUELL_FUZZ_TARGET").map { unsafe String(cString: $0) }
    return FuzzTarget.all.first { $0.name == name }
}()

/// Called once before the first input.
@_cdecl("LLVMFuzzerInitialize")
public func fuzzerBegins(
    _ count: UnsafeMutablePointer<CInt>?,
    _ words: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>?
) -> CInt {
    let name = unsafe getenv("QUELL_FUZZ_TARGET").map { unsafe String(cString: $0) }
    if name == "transcript" { answerTranscripts() }
    if target == nil { fatalError("QUELL_FUZZ_TARGET names none of \(FuzzTarget.all)") }
    return 0
}

/// Called with every input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzerTries(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe [UInt8](UnsafeBufferPointer(start: start, count: count))
    if let finding = target?.finding(bytes) { fatalError("finding: \(finding)") }
    return 0
}

/// Reads inputs, each behind its length (4 bytes, little-endian), and answers each with a line.
private func answerTranscripts() -> Never {
    while let head = readExactly(4) {
        let count = head.reversed().reduce(0) { $0 << 8 | Int($1) }
        guard count <= 1 << 24, let bytes = readExactly(count) else { break }
        let line = FuzzHTTP.transcript(bytes) + [0x0A]
        var sent = 0
        while sent < line.count {
            let step = unsafe line.withUnsafeBytes {
                unsafe write(1, $0.baseAddress?.advanced(by: sent), line.count - sent)
            }
            if step <= 0 { exit(1) }
            sent += step
        }
    }
    exit(0)
}

/// Bytes of standard input; nil at its end.
private func readExactly(_ count: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    var got = 0
    while got < count {
        let step = unsafe bytes.withUnsafeMutableBytes {
            unsafe read(0, $0.baseAddress?.advanced(by: got), count - got)
        }
        if step <= 0 { return nil }
        got += step
    }
    return bytes
}
