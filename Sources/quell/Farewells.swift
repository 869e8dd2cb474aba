// `quell leave` and `quell evict`: how a member goes for good.

import ArgumentParser
import Client
import Foundation

struct Leave: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let a node leave the cluster: it tells the others and ends.",
        discussion: """
            A voter is replaced or removed first. A node whose writes are not yet on a majority of
            the voters stays, and says how many.

            EXAMPLE
              quell leave n4
            """
    )
    @Argument(help: "The node.") var name: String
    @OptionGroup var options: RegisterOptions

    func run() throws {
        let doors = try options.target.adminDoors()
        var missed: String?
        for address in doors.addresses {
            do throws(ClientError) {
                let client = try QuellClient(address: address, key: doors.key)
                guard try client.status().name == name else { continue }
                let done = try client.leave()
                return options.say(done, "\(name) has left")
            } catch {
                guard case .unreachable(let why) = error else { throw Failure(error) }
                missed = why
            }
        }
        let hint = missed.map { " (not reached: \($0))" } ?? ""
        throw Failure(.unreachable, "no node called \(name) answers\(hint); a dead one is evicted")
    }
}

struct Evict: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Rule a node out for ever, such as one whose disk is gone.",
        discussion: """
            Says how many of its writes no majority of the voters is known to hold. A voter is
            refused: replace or remove it first. An evicted id never comes back; an empty directory
            makes a new one.

            EXAMPLE
              quell evict n4
            """
    )
    @Argument(help: "The node's name, or its id in 16 hex digits.") var name: String
    @OptionGroup var options: RegisterOptions

    func run() throws {
        let isID = name.count == 16 && name.allSatisfy(\.isHexDigit)
        let done = try options.call { client throws(ClientError) in
            try client.evict(name, isID: isID)
        }
        let owed = done.owed > 0 ? "; \(done.owed) of its writes may be nowhere else" : ""
        options.say(done.changed, "\(name) is evicted\(owed)")
    }
}
