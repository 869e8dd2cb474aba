// Every bound of this module in one place: unit in the name, derivation beside it.

enum Limits {
    /// Marks that one undo token may name: 32 topics that a page offers, and the eight effects that
    /// its function may add.
    static let undoItemsCount = 40
    /// Milliseconds during which a result page may undo what it reports: 15 minutes (DESIGN 4).
    static let undoMillis: UInt64 = 900_000
    /// Characters of the longest token that is looked at: an undo token of 40 items has 1,815.
    static let tokenCharacters = 2_048
    /// Characters of the value of List-Unsubscribe; the tightest budget known is Amazon SES's.
    static let headerCharacters = 870
    /// Characters of a public URL or a mailto address: leaves room for the token in any form.
    static let publicURLCharacters = 300
    /// Bytes of a secret that is sealed into a register.
    static let sealedSecretBytes = 4_096
}
