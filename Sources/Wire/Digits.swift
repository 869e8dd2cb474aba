// Whole numbers in decimal, straight into the caller's bytes and from the left: no digit is written
// twice, and nothing is allocated but the bytes' own growth.

extension [UInt8] {
    /// Appends a number in decimal.
    mutating func append(digitsOf number: UInt64) {
        var scale: UInt64 = 1
        while number / scale >= 10 { scale *= 10 }
        while scale > 0 {
            append(0x30 + UInt8(truncatingIfNeeded: number / scale % 10))
            scale /= 10
        }
    }
}
