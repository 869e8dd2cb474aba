// RESP: cut anywhere, the same commands; an array is spelled in one way only; written as arrays,
// the same commands; replies to them are one value each, whatever bytes they quote.

import Wire

enum FuzzRESP {
    private struct Reading: Equatable {
        var commands: [[[UInt8]]] = []
        var refusal: RESPRefusal?
        var cursor = 0
        /// An array that is not written as we would write it.
        var isLoose = false
    }

    static func finding(_ bytes: [UInt8]) -> String? {
        for bounds in [RESPBounds.member, .stranger] {
            let whole = read(bytes, bounds, cuts: [])
            if whole.isLoose { return "an array that can be written in another way" }
            if whole.cursor > bytes.count { return "the cursor is behind the input" }
            for cuts in cuttings(of: bytes) where read(bytes, bounds, cuts: cuts) != whole {
                return "cut at \(cuts.prefix(8)) the commands differ"
            }
        }
        let commands = read(bytes, .member, cuts: []).commands
        let again = read(commands.flatMap(array), .member, cuts: [])
        if again.commands != commands || again.refusal != nil {
            return "written as arrays the commands differ"
        }
        return replies(to: commands)
    }

    /// Reads as a connection does: what was read goes, the rest moves to the front.
    private static func read(_ bytes: [UInt8], _ bounds: RESPBounds, cuts: [Int]) -> Reading {
        var reading = Reading()
        var parser = RESPParser()
        var words: [RESPWord] = []
        var input: [UInt8] = []
        var gone = 0
        var from = 0
        for end in cuts + [bytes.count] {
            input += bytes[from..<end]
            from = end
            var found = RESPParser.Found.command
            while found == .command {
                words.removeAll()
                let start = parser.cursor
                found = parser.next(input.span, within: bounds, into: &words)
                guard found == .command else { continue }
                let command = words.map { Array(input[$0.range]) }
                let bytes = input[start..<parser.cursor].drop { $0 == 0x0D || $0 == 0x0A }
                if bytes.first == 0x2A, !bytes.elementsEqual(array(command)) {
                    reading.isLoose = true
                }
                reading.commands.append(command)
            }
            if case .refused(let refusal) = found {
                reading.refusal = refusal
                break
            }
            gone += parser.cursor
            input.removeFirst(parser.cursor)
            parser.shift(by: parser.cursor)
        }
        reading.cursor = gone + parser.cursor
        return reading
    }

    private static func array(_ words: [[UInt8]]) -> [UInt8] {
        var out = Array("*\(words.count)\r\n".utf8)
        for word in words { out += Array("$\(word.count)\r\n".utf8) + word + [0x0D, 0x0A] }
        return out
    }

    /// Answers every command with an error that quotes it and an array of its words.
    private static func replies(to commands: [[[UInt8]]]) -> String? {
        var replies = RESPReplies(after: [], version: 3)
        for words in commands {
            replies.expect(2)
            let name = words[0]
            replies.error("ERR unknown command '", quoting: name.span, "'")
            replies.array(words.count)
            for word in words { replies.bulk(word.span) }
            if replies.owed != 0 { return "an answered run owes \(replies.owed)" }
        }
        let output = replies.finish()
        var at = 0
        for words in commands {
            guard let end = output[at...].firstIndex(of: 0x0D), output[at] == 0x2D,
                output[at...end].count <= 96, output[end + 1] == 0x0A,
                output[at..<end].allSatisfy({ $0 >= 0x20 && $0 < 0x7F })
            else { return "an error is not one printable line" }
            at = end + 2
            let expected = array(words)
            guard output[at...].starts(with: expected) else { return "a reply lost a word" }
            at += expected.count
        }
        return at == output.count ? nil : "there are more replies than commands"
    }
}
