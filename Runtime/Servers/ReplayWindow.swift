// Which numbered packets have come: a ring of bits behind the highest number.
//
//     ... | highest - 1,023 .......................... highest | ...
//     too old         1,024 bits, bit = number mod 1,024         fresh
//
// A packet is looked at before it is opened, and noted only after: a forged number must not move
// the window. Source: RFC 6479 (the ring of words); RFC 4303, 3.4.3 (the order of the two steps).

/// The packets of one sender under one key; a plain value of 17 words.
struct ReplayWindow {
    /// One more than the highest number that has come; 0 before the first.
    private var next: UInt64 = 0
    private var words = InlineArray<16, UInt64>(repeating: 0)

    /// True if this number has not come and is not too old to tell.
    func isFresh(_ number: UInt64) -> Bool {
        guard number < .max else { return false }
        if number >= next { return true }
        guard next - number <= Limits.replayPackets else { return false }
        return words[word(number)] & bit(number) == 0
    }

    /// Notes a fresh number whose packet was opened.
    mutating func note(_ number: UInt64) {
        precondition(isFresh(number), "ask isFresh first")
        if number >= next {
            clear(from: next, to: number)
            next = number + 1
        }
        words[word(number)] |= bit(number)
    }

    /// Forgets the bits of numbers that enter the window, all of it at most.
    private mutating func clear(from first: UInt64, to last: UInt64) {
        if last - first >= Limits.replayPackets {
            for index in 0..<Limits.replayWords { words[index] = 0 }
            return
        }
        for number in first...last { words[word(number)] &= ~bit(number) }
    }

    private func word(_ number: UInt64) -> Int { Int(number % Limits.replayPackets / 64) }
    private func bit(_ number: UInt64) -> UInt64 { 1 << (number % 64) }
}
