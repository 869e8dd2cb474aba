// Dutch. Machine-made: no speaker of the language has read it yet.
//
// A line a sentence, in the order of `Sentence` in Words.swift.

extension Words {
    static var dutch: StaticString {
        """
        nl
        ltr
        Kies welke e-mails u krijgt
        Deze link hoort bij e-mails van {1}. Er is nog niets veranderd.
        Losse onderwerpen stoppen
        Onderwerpen van {2}
        Aangevinkte onderwerpen stoppen
        Er was geen onderwerp aangevinkt, dus er is niets veranderd.
        Deze pagina toont hoogstens 32 onderwerpen.
        Een pauze nemen
        30 dagen geen e-mails van {1} over {2}. Daarna kunnen ze weer komen.
        30 dagen geen e-mails van {1}. Daarna kunnen ze weer komen.
        30 dagen pauze
        Alles stoppen
        Afmelden voor alle e-mails van {1}
        Als iemand deze e-mail aan u heeft doorgestuurd, is de link van die persoon: de knoppen \
        stoppen diens e-mails, niet de uwe.
        Uw keuze is opgeslagen
        {1} stuurt u geen e-mails meer over:
        {1} stuurt u 30 dagen geen e-mails over {2}.
        {1} stuurt u 30 dagen geen e-mails.
        {1} stuurt u geen e-mails van deze soort meer.
        Een bericht dat al onderweg is, kan nog aankomen. U hoeft verder niets te doen.
        Verkeerde knop? U kunt dit 15 minuten lang ongedaan maken.
        Ongedaan maken
        Uw keuze is ongedaan gemaakt
        Zoals eerder mag {1} u e-mails sturen.
        Dit kan hier niet meer ongedaan worden gemaakt
        Ongedaan maken kan 15 minuten lang en alleen op de pagina die de wijziging meldde. Er \
        is niets veranderd. Wilt u deze e-mails weer krijgen, meld u dan aan bij de afzender.
        Deze link werkt niet
        Open de link in de oorspronkelijke e-mail nog een keer, of beantwoord de e-mail en \
        vraag de afzender u niet meer te schrijven.
        Terug naar de keuzes
        """
    }
}
