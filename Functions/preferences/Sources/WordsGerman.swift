// German. Machine-made: no speaker of the language has read it yet.
//
// A line a sentence, in the order of `Sentence` in Words.swift.

extension Words {
    static var german: StaticString {
        """
        de
        ltr
        Wählen Sie, welche E-Mails Sie bekommen
        Dieser Link gehört zu E-Mails von {1}. Noch hat sich nichts geändert.
        Einzelne Themen abbestellen
        Themen von {2}
        Angekreuzte Themen abbestellen
        Es war kein Thema angekreuzt, darum hat sich nichts geändert.
        Diese Seite zeigt höchstens 32 Themen.
        Pause machen
        30 Tage lang keine E-Mails von {1} zu {2}. Danach können sie wieder kommen.
        30 Tage lang keine E-Mails von {1}. Danach können sie wieder kommen.
        30 Tage Pause
        Alles abbestellen
        Alle E-Mails von {1} abbestellen
        Wenn jemand Ihnen diese E-Mail weitergeleitet hat, gehört der Link dieser Person: Die \
        Knöpfe stoppen deren E-Mails, nicht Ihre.
        Ihre Wahl ist gespeichert
        {1} schickt Ihnen keine E-Mails mehr zu:
        {1} schickt Ihnen 30 Tage lang keine E-Mails zu {2}.
        {1} schickt Ihnen 30 Tage lang keine E-Mails.
        {1} schickt Ihnen keine E-Mails dieser Art mehr.
        Eine Nachricht, die schon unterwegs ist, kann noch ankommen. Sie müssen nichts weiter \
        tun.
        Falscher Knopf? Sie können das 15 Minuten lang zurücknehmen.
        Zurücknehmen
        Ihre Wahl ist zurückgenommen
        Wie zuvor darf {1} Ihnen E-Mails schicken.
        Das lässt sich hier nicht mehr zurücknehmen
        Zurücknehmen geht 15 Minuten lang und nur auf der Seite, die die Änderung gemeldet hat. \
        Es hat sich nichts geändert. Wenn Sie diese E-Mails wieder bekommen möchten, melden Sie \
        sich beim Absender an.
        Dieser Link funktioniert nicht
        Bitte öffnen Sie den Link in der ursprünglichen E-Mail noch einmal, oder antworten Sie \
        auf die E-Mail und bitten Sie den Absender, Ihnen nicht mehr zu schreiben.
        Zurück zur Auswahl
        """
    }
}
