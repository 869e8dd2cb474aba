// What `quell fn new NAME` writes: a function that builds, passes its own test and can be deployed
// as it is.
//
//     function.yaml        what it may do
//     Sources/Name.swift   the handler: the only file that one edits at first
//     Sources/Entry.swift  the door between wasm and the handler
//     fixtures/            requests that prove it
//     .gitignore           what the build leaves

enum FnTemplates {
    /// The files of a function of kind http.
    static func http(_ name: String) -> [(path: String, text: String)] {
        let type = typeName(name)
        return [
            ("function.yaml", manifest(name)),
            ("Sources/\(type).swift", source(name, type)),
            ("Sources/Entry.swift", entry(type)),
            ("fixtures/hello.http", "GET /f/\(name)/Ada\n"),
            ("fixtures/hello.txt", "200 text/plain; charset=utf-8\n\nHello, Ada!\n"),
            ("fixtures/nobody.http", "GET /f/\(name)/\n"),
            ("fixtures/nobody.txt", "200 text/plain; charset=utf-8\n\nHello, whoever you are!\n"),
            (".gitignore", "/.build/\n"),
        ]
    }

    /// `my-greeter` -> `MyGreeter`; a name that FunctionKit has gets a tail.
    static func typeName(_ name: String) -> String {
        let type = name.split(separator: "-").map { $0.prefix(1).uppercased() + $0.dropFirst() }
            .joined()
        let taken = [
            "Abi", "Array", "Breaker", "Change", "Context", "Decision", "Effect", "Form", "Intent",
            "Limits", "Mark", "Method", "Outcome", "Person", "Reason", "Recipient", "Register",
            "Request", "Response", "Scope", "Self", "Span", "Type", "Verdict",
        ]
        return taken.contains(type) ? type + "Function" : type
    }

    private static func manifest(_ name: String) -> String {
        """
        # What \(name) is, what it may do, and what proves it. `quell fn test` names every mistake.
        name: \(name)
        version: 0.1.0
        abi: 1
        kind: http                 # http: /f/\(name)/...   check: tightens   unsubscribe: pages
        isolation: strict          # a fresh instance for each request
        limits:                    # the same here and in production
          artifact_bytes: 16384
          memory_pages: 1
          deadline_ms: 5
        routes:
          - path: /f/\(name)/*
            methods: [GET, HEAD]
        failure:
          policy: last-good        # a request on which this version fails goes to the one before
        smoke:                     # asked on every node before a version serves
          - request: fixtures/hello.http
            expect: fixtures/hello.txt
          - request: fixtures/nobody.http
            expect: fixtures/nobody.txt
        build:
          sources: Sources

        """
    }

    private static func source(_ name: String, _ type: String) -> String {
        """
        // Greets whoever the path names: /f/\(name)/Ada.
        //
        // Text is bytes here, and constant text StaticString: comparing Strings would pull 80 KB of
        // Unicode tables into the module.

        import FunctionKit

        enum \(type) {
            /// Answers a request; `request.path` is what follows /f/\(name)/.
            static func handle(_ request: Request, _ context: inout Context) -> Response {
                var body: [UInt8] = []
                body.append("Hello, ")
                if request.path.isEmpty {
                    body.append("whoever you are")
                } else {
                    body.append(contentsOf: request.path)
                }
                body.append("!\\n")
                var type: [UInt8] = []
                type.append("text/plain; charset=utf-8")
                return Response(status: 200, contentType: type, body: body)
            }
        }

        """
    }

    private static func entry(_ type: String) -> String {
        """
        // The function's door in wasm: it names the handler.

        import FunctionKit

        /// Answers the request of `length` bytes in the window; negative on error.
        @_expose(wasm, "quell_handle")
        @_cdecl("quell_handle")
        public func handle(_ kind: Int32, _ length: Int32) -> Int32 {
            Door.direct(kind, length) { \(type).handle($0, &$1) }
        }

        """
    }
}
