// Italian. Machine-made: no speaker of the language has read it yet.
//
// A line a sentence, in the order of `Sentence` in Words.swift.

extension Words {
    static var italian: StaticString {
        """
        it
        ltr
        Scegli quali e-mail ricevere
        Questo link riguarda le e-mail di {1}. Non è ancora cambiato nulla.
        Interrompere singoli argomenti
        Argomenti di {2}
        Interrompi gli argomenti selezionati
        Nessun argomento era selezionato, quindi non è cambiato nulla.
        Questa pagina mostra al massimo 32 argomenti.
        Fare una pausa
        Nessuna e-mail di {1} su {2} per 30 giorni. Poi potranno arrivare di nuovo.
        Nessuna e-mail di {1} per 30 giorni. Poi potranno arrivare di nuovo.
        Pausa di 30 giorni
        Interrompere tutto
        Annulla l’iscrizione a tutte le e-mail di {1}
        Se qualcuno ti ha inoltrato questa e-mail, il link è suo: i pulsanti fermano le sue \
        e-mail, non le tue.
        La tua scelta è salvata
        {1} non ti invierà più e-mail su:
        {1} non ti invierà e-mail su {2} per 30 giorni.
        {1} non ti invierà e-mail per 30 giorni.
        {1} non ti invierà più e-mail di questo tipo.
        Un messaggio già in viaggio può ancora arrivare. Non devi fare altro.
        Pulsante sbagliato? Puoi annullare per 15 minuti.
        Annulla
        La tua scelta è annullata
        Come prima, {1} può inviarti e-mail.
        Qui non si può più annullare
        Si può annullare per 15 minuti e solo nella pagina che ha comunicato la modifica. Non è \
        cambiato nulla. Per ricevere di nuovo queste e-mail, iscriviti presso il mittente.
        Questo link non funziona
        Apri ancora una volta il link nell’e-mail originale, oppure rispondi all’e-mail e \
        chiedi al mittente di non scriverti più.
        Torna alle scelte
        """
    }
}
