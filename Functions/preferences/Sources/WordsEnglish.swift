// English. Machine-made: no speaker of the language has read it yet.
//
// A line a sentence, in the order of `Sentence` in Words.swift.

extension Words {
    static var english: StaticString {
        """
        en
        ltr
        Choose which mail you get
        This link belongs to mail from {1}. Nothing has changed yet.
        Stop single topics
        Topics of {2}
        Stop the ticked topics
        No topic was ticked, so nothing has changed.
        This page shows at most 32 topics.
        Take a break
        No mail from {1} about {2} for 30 days. After that it may come again.
        No mail from {1} for 30 days. After that it may come again.
        Pause for 30 days
        Stop everything
        Unsubscribe from all mail by {1}
        If somebody forwarded this mail to you, the link is theirs: the buttons stop mail to \
        them, not to you.
        Your choice is saved
        {1} will send you no more mail about:
        {1} will send you no mail about {2} for 30 days.
        {1} will send you no mail for 30 days.
        {1} will send you no more mail of this kind.
        A message that is already on its way may still arrive. There is nothing else to do.
        Pressed the wrong button? You can take this back for 15 minutes.
        Undo
        Your choice is taken back
        As before, {1} may send you mail.
        This can no longer be taken back here
        Undoing works for 15 minutes and only on the page that reported the change. Nothing has \
        changed. To receive this mail again, sign up with the sender.
        This link does not work
        Please open the link in the original mail once more, or answer the mail and ask its \
        sender to stop writing to you.
        Back to the choices
        """
    }
}
