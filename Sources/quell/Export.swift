// `quell export`: every mark of the tenant, one JSON object a line, on standard output.

import ArgumentParser
import Client
import Foundation

struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write every mark as NDJSON.",
        discussion: """
            Addresses are not stored, so a row names its person by the keyed digest. Exit code 0 \
            means that the export is whole.

            EXAMPLE
              quell export > marks.ndjson
            """
    )

    @OptionGroup var target: Target
    @Flag(name: .long, help: "As always: one JSON object a line.")
    var json = false

    func run() throws {
        let output = FileHandle.standardOutput
        try target.publicDoors().call { client throws(ClientError) in
            try client.export { bytes in output.write(Data(bytes)) }
        }
    }
}
