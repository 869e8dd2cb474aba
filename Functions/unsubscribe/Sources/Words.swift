// Every sentence of the pages, in one table. English; other languages are added beside this one.
//
// Computed, not stored: a stored string would be made on the guest's arena at its first use and be
// gone after the call. `StaticString` lies in the data segment.

enum Words {
    static var language: StaticString { "en" }
    static var question: StaticString { "Unsubscribe" }
    static var about: StaticString { "This link belongs to mail from " }
    static var aboutTopic: StaticString { " about " }
    static var nothingYet: StaticString { "Nothing has changed yet. Choose what should stop:" }
    static var buttonOne: StaticString { "Unsubscribe from " }
    static var buttonAll: StaticString { "Unsubscribe from all mail by " }
    static var preferences: StaticString { "Other choices: single topics, or a pause of 30 days" }
    static var forwarded: StaticString {
        """
        If somebody forwarded this mail to you, the link is theirs: the buttons stop mail to them, \
        not to you.
        """
    }
    static var done: StaticString { "You are unsubscribed" }
    static var doneOne: StaticString { "No more mail will be sent to you about " }
    static var doneBy: StaticString { " by " }
    static var doneAll: StaticString { "No more mail of this kind will be sent to you by " }
    static var doneRest: StaticString {
        "A message that is already on its way may still arrive. There is nothing else to do."
    }
    static var undoWhy: StaticString {
        "Pressed the wrong button? You can take this back for 15 minutes."
    }
    static var undo: StaticString { "Undo" }
    static var undone: StaticString { "Your unsubscription is taken back" }
    static var undoneWhat: StaticString { "As before, mail may be sent to you by " }
    static var tooLate: StaticString { "This can no longer be taken back here" }
    static var tooLateWhy: StaticString {
        """
        Undoing works for 15 minutes and only on the page that reported the unsubscription. \
        Nothing has changed. To receive this mail again, sign up with the sender.
        """
    }
    static var broken: StaticString { "This link does not work" }
    static var brokenWhy: StaticString {
        """
        It may have been cut or changed when it was copied. Please open the link in the original \
        mail once more. Nothing has changed.
        """
    }
    static var askSender: StaticString {
        "If that does not help, answer the mail and ask its sender to stop writing to you."
    }
    static var oneClick: StaticString { "You are unsubscribed.\n" }
    static var fullStop: StaticString { "." }
}
