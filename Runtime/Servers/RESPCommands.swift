// The commands that are about the connection, not about any set: answered here, in Redis's words.
//
// What Redis clients send before their first question (HELLO, CLIENT SETINFO, COMMAND DOCS, SELECT
// 0, INFO) is answered so that they start unmodified; whatever else Redis knows is an unknown
// command, and the connection stays. Before AUTH everything is -NOAUTH, unknown names as well: a
// stranger learns nothing. An unknown command's words are not echoed, as they may hold addresses
// and errors end up in logs.

internal import Wire

extension RESPConnection {
    /// Answers a command that is not for the service, or that is wrong.
    ///
    /// - Parameter words: the name first.
    func answer(
        _ name: RESPName, _ words: Span<RESPWord>, _ bytes: Span<UInt8>,
        _ replies: inout RESPReplies
    ) {
        if name == .crossProtocol { return refuse(.crossProtocol, &replies) }
        replies.expect(1)
        if session.principal == nil, !name.isForStrangers {
            return replies.error("NOAUTH Authentication required.")
        }
        guard name.takes(words: words.count) else {
            return wrongArity(name.text, &replies)
        }
        switch name {
        case .ping where words.count == 1: replies.simple("PONG")
        case .ping, .echo: replies.bulk(bytes.extracting(words[1].range))
        case .auth: authenticate(words, bytes, &replies)
        case .hello: hello(words, bytes, &replies)
        case .client: client(words, bytes, &replies)
        case .command: command(words, bytes, &replies)
        case .about: replies.bulk(about())
        case .select: select(bytes.extracting(words[1].range), &replies)
        case .reset:
            beginAuth()
            session.version = 2
            session.name = []
            replies.version = session.version
            replies.simple("RESET")
        case .quit:
            replies.simple("OK")
            leave()
        case .unknown, .crossProtocol:
            replies.error(
                "ERR unknown command '", quoting: bytes.extracting(words[0].range), "'")
        case .get, .mget, .exists, .sismember, .smismember, .sadd, .srem:
            preconditionFailure("a served command with a principal and the right arity")
        }
    }

    private func wrongArity(_ name: StaticString, _ replies: inout RESPReplies) {
        replies.error("ERR wrong number of arguments for '\(name)' command")
    }

    private func authenticate(
        _ words: Span<RESPWord>, _ bytes: Span<UInt8>, _ replies: inout RESPReplies
    ) {
        let key = words[words.count - 1]
        let user = words.count == 3 ? words[1] : RESPWord(0, 0)
        if isRecognised(user, key, bytes) {
            replies.simple("OK")
        } else {
            wrongKey(&replies)
        }
    }

    private func isRecognised(_ user: RESPWord, _ key: RESPWord, _ bytes: Span<UInt8>) -> Bool {
        let principal = server.service.authenticate(
            user: bytes.extracting(user.range), key: bytes.extracting(key.range))
        // A wrong key leaves whoever was recognised before, as in Redis.
        guard let principal else { return false }
        session.principal = principal
        return true
    }

    private func wrongKey(_ replies: inout RESPReplies) {
        server.counters.wrongKeys += 1
        replies.error("WRONGPASS invalid username-password pair or user is disabled.")
    }

    private func hello(
        _ words: Span<RESPWord>, _ bytes: Span<UInt8>, _ replies: inout RESPReplies
    ) {
        var version = session.version
        if words.count > 1 {
            let digits = bytes.extracting(words[1].range)
            guard isNumber(digits) else {
                return replies.error("ERR Protocol version is not an integer or out of range")
            }
            guard digits.count == 1, digits[0] == 0x32 || digits[0] == 0x33 else {
                return replies.error("NOPROTO unsupported protocol version")
            }
            version = Int(digits[0] - 0x30)
        }
        var name: RESPWord?
        var at = 2
        while at < words.count {
            if words[at].reads("auth", in: bytes), at + 2 < words.count {
                guard isRecognised(words[at + 1], words[at + 2], bytes) else {
                    return wrongKey(&replies)
                }
                at += 3
            } else if words[at].reads("setname", in: bytes), at + 1 < words.count {
                name = words[at + 1]
                at += 2
            } else {
                let option = bytes.extracting(words[at].range)
                return replies.error("ERR Syntax error in HELLO option '", quoting: option, "'")
            }
        }
        guard session.principal != nil else {
            return replies.error(
                """
                NOAUTH HELLO must be called with the client already authenticated, otherwise the \
                HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and \
                select the RESP protocol version at the same time
                """)
        }
        if let name, !setName(bytes.extracting(name.range), &replies) { return }
        session.version = version
        replies.version = version
        greet(&replies)
    }

    private func greet(_ replies: inout RESPReplies) {
        replies.map(7)
        replies.bulk("server")
        replies.bulk("quell")
        replies.bulk("version")
        replies.bulk(server.options.version)
        replies.bulk("proto")
        replies.integer(session.version)
        replies.bulk("id")
        replies.integer(Int(session.id))
        replies.bulk("mode")
        replies.bulk("standalone")
        replies.bulk("role")
        replies.bulk("master")
        replies.bulk("modules")
        replies.array(0)
    }

    private func client(
        _ words: Span<RESPWord>, _ bytes: Span<UInt8>, _ replies: inout RESPReplies
    ) {
        let verb = words[1]
        if verb.reads("setname", in: bytes) {
            guard words.count == 3 else { return wrongArity("client|setname", &replies) }
            if setName(bytes.extracting(words[2].range), &replies) { replies.simple("OK") }
        } else if verb.reads("setinfo", in: bytes) {
            // The library's name and version: taken, as clients insist, and of no use to us.
            guard words.count == 4 else { return wrongArity("client|setinfo", &replies) }
            replies.simple("OK")
        } else if verb.reads("id", in: bytes) {
            guard words.count == 2 else { return wrongArity("client|id", &replies) }
            replies.integer(Int(session.id))
        } else if verb.reads("getname", in: bytes) {
            guard words.count == 2 else { return wrongArity("client|getname", &replies) }
            let name = session.name
            if name.isEmpty { replies.null() } else { replies.bulk(name.span) }
        } else {
            replies.error(
                "ERR unknown subcommand '", quoting: bytes.extracting(verb.range),
                "'. Quell knows CLIENT SETNAME, SETINFO, ID and GETNAME.")
        }
    }

    /// Writes an error only if the name is none.
    private func setName(_ name: Span<UInt8>, _ replies: inout RESPReplies) -> Bool {
        for index in name.indices where name[index] < 0x21 || name[index] > 0x7E {
            replies.error(
                "ERR Client names cannot contain spaces, newlines or special characters.")
            return false
        }
        guard name.count <= Limits.clientNameBytes else {
            replies.error("ERR Client names have at most 255 bytes.")
            return false
        }
        session.name = []
        for index in name.indices { session.name.append(name[index]) }
        return true
    }

    private func command(
        _ words: Span<RESPWord>, _ bytes: Span<UInt8>, _ replies: inout RESPReplies
    ) {
        if words.count == 1 {
            replies.array(0)
        } else if words[1].reads("count", in: bytes) {
            replies.integer(RESPName.allCases.count - 2)  // two are no commands
        } else if words[1].reads("docs", in: bytes) {
            replies.map(0)
        } else {
            replies.error(
                "ERR unknown subcommand '", quoting: bytes.extracting(words[1].range),
                "'. Quell knows COMMAND, COMMAND COUNT and COMMAND DOCS.")
        }
    }

    private func select(_ number: Span<UInt8>, _ replies: inout RESPReplies) {
        if number.count == 1, number[0] == 0x30 {
            replies.simple("OK")
        } else if isNumber(number) {
            replies.error("ERR DB index is out of range")
        } else {
            replies.error("ERR value is not an integer or out of range")
        }
    }

    private func about() -> String {
        """
        # Server\r
        server_name:quell\r
        quell_version:\(server.options.version)\r
        redis_mode:standalone\r
        \r
        # Clients\r
        connected_clients:\(server.counters.open)\r
        \r
        # Stats\r
        total_connections_received:\(server.counters.accepted)\r
        total_commands_processed:\(server.counters.commands)\r

        """
    }

    private func isNumber(_ text: Span<UInt8>) -> Bool {
        guard !text.isEmpty else { return false }
        for index in text.indices where text[index] < 0x30 || text[index] > 0x39 { return false }
        return true
    }
}
