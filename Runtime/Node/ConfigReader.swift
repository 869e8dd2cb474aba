// Texts into numbers, durations, words and addresses; each complaint names the place and the fix.

import EventLoop

struct ConfigReader {
    let values: [ConfigKey: ConfigValue]

    func isSet(_ key: ConfigKey) -> Bool { values[key] != nil }

    func place(_ key: ConfigKey) -> String { values[key]?.place ?? key.flag }

    func text(_ key: ConfigKey, default fallback: String) -> String {
        values[key]?.text ?? fallback
    }

    func list(_ key: ConfigKey, default fallback: [String]) -> [String] {
        guard let text = values[key]?.text else { return fallback }
        return text.split(separator: ",").map { item in
            String(item.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
    }

    /// A name: 1 to 64 of letters, digits, `.`, `_`, `-`.
    func word(_ key: ConfigKey, default fallback: String) throws(ConfigError) -> String {
        let text = text(key, default: fallback)
        let isPlain = text.utf8.allSatisfy {
            ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7a || $0 >= 0x30 && $0 <= 0x39
                || $0 == 0x2d || $0 == 0x2e || $0 == 0x5f
        }
        guard isPlain, (1...64).contains(text.utf8.count) else {
            throw ConfigError(
                "\(place(key)): `\(text)` is no name; use 1 to 64 letters, digits, `.`, `_`, `-`"
            )
        }
        return text
    }

    func number(
        _ key: ConfigKey,
        default fallback: Int,
        in range: ClosedRange<Int>
    ) throws(ConfigError) -> Int {
        guard let value = values[key] else { return fallback }
        guard let number = Int(value.text), range.contains(number) else {
            throw ConfigError(
                "\(value.place): `\(value.text)` is not a number from "
                    + "\(range.lowerBound) to \(range.upperBound)"
            )
        }
        return number
    }

    func port(_ key: ConfigKey, _ base: Int, _ offset: Int) throws(ConfigError) -> Int {
        try number(key, default: base + offset, in: 1...65_535)
    }

    func flag(_ key: ConfigKey) throws(ConfigError) -> Bool {
        try choice(key, default: "false", ["true": true, "false": false])
    }

    func choice<T>(
        _ key: ConfigKey,
        default fallback: String,
        _ choices: [String: T]
    ) throws(ConfigError) -> T {
        let text = text(key, default: fallback)
        guard let choice = choices[text] else {
            let known = choices.keys.sorted().joined(separator: ", ")
            throw ConfigError("\(place(key)): `\(text)` is none of: \(known)")
        }
        return choice
    }

    /// A number with `ms`, `s`, `m` or `h`; plain 0 is fine.
    func duration(
        _ key: ConfigKey,
        default fallback: String,
        in range: ClosedRange<UInt64>
    ) throws(ConfigError) -> UInt64 {
        let text = text(key, default: fallback)
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let units: [String: UInt64] = [
            "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000,
        ]
        let unit = String(text.dropFirst(digits.count))
        guard digits.count <= 9, let number = UInt64(digits),
            let scale = number == 0 && unit.isEmpty ? 1 : units[unit]
        else {
            throw ConfigError(
                "\(place(key)): `\(text)` is no duration; write 500ms, 60s, 5m or 1h"
            )
        }
        let nanos = number * scale
        guard range.contains(nanos) else {
            throw ConfigError(
                "\(place(key)): `\(text)` is outside \(range.lowerBound / 1_000_000_000)s to "
                    + "\(range.upperBound / 1_000_000_000)s"
            )
        }
        return nanos
    }

    /// A number with `KiB` or `MiB`.
    func bytesPerSecond(_ key: ConfigKey, default fallback: UInt64) throws(ConfigError) -> UInt64 {
        guard let value = values[key] else { return fallback }
        let digits = value.text.prefix { $0.isASCII && $0.isNumber }
        let units: [String: UInt64] = ["KiB": 1 << 10, "MiB": 1 << 20]
        guard digits.count <= 6, let number = UInt64(digits), number > 0,
            let scale = units[String(value.text.dropFirst(digits.count))]
        else {
            throw ConfigError(
                "\(value.place): `\(value.text)` is no rate; write 512KiB or 8MiB, a second"
            )
        }
        return number * scale
    }

    /// `host:port`, comma by comma; an IPv6 literal in brackets.
    func addresses(_ key: ConfigKey) throws(ConfigError) -> [PeerAddress] {
        var found: [PeerAddress] = []
        for text in list(key, default: []) {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count >= 2, let port = Int(parts[parts.count - 1]),
                (1...65_535).contains(port)
            else {
                throw ConfigError("\(place(key)): `\(text)` is no address; write 10.0.0.2:8103")
            }
            var host = parts.dropLast().joined(separator: ":")
            if host.hasPrefix("["), host.hasSuffix("]") {
                host = String(host.dropFirst().dropLast())
            }
            guard isNumericHost(host) else {
                throw ConfigError(
                    "\(place(key)): `\(text)` is no address; write 10.0.0.2:8103, names are not "
                        + "looked up"
                )
            }
            found.append(PeerAddress(host: host == "localhost" ? "127.0.0.1" : host, port: port))
        }
        return found
    }

    func url(_ key: ConfigKey, default fallback: String) throws(ConfigError) -> String {
        var text = text(key, default: fallback)
        while text.hasSuffix("/") { text.removeLast() }
        let isPlain = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != 0x3c && $0 != 0x3e }
        guard text.hasPrefix("https://") || text.hasPrefix("http://"), isPlain,
            text.utf8.count <= 512
        else {
            throw ConfigError(
                "\(place(key)): `\(text)` is no URL; write https://unsubscribe.example.com"
            )
        }
        return text
    }
}
