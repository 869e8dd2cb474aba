// French. Machine-made: no speaker of the language has read it yet.
//
// A line a sentence, in the order of `Sentence` in Words.swift.

extension Words {
    static var french: StaticString {
        """
        fr
        ltr
        Choisissez les e-mails que vous recevez
        Ce lien concerne les e-mails de {1}. Rien n’a encore changé.
        Arrêter certains sujets
        Sujets de {2}
        Arrêter les sujets cochés
        Aucun sujet n’était coché ; rien n’a donc changé.
        Cette page montre 32 sujets au plus.
        Faire une pause
        Aucun e-mail de {1} sur {2} pendant 30 jours. Ensuite, ils pourront reprendre.
        Aucun e-mail de {1} pendant 30 jours. Ensuite, ils pourront reprendre.
        Pause de 30 jours
        Tout arrêter
        Se désabonner de tous les e-mails de {1}
        Si quelqu’un vous a transféré cet e-mail, le lien est le sien : les boutons arrêtent \
        ses e-mails, pas les vôtres.
        Votre choix est enregistré
        {1} ne vous enverra plus d’e-mails sur :
        {1} ne vous enverra pas d’e-mails sur {2} pendant 30 jours.
        {1} ne vous enverra pas d’e-mails pendant 30 jours.
        {1} ne vous enverra plus d’e-mails de ce type.
        Un message déjà en route peut encore arriver. Vous n’avez rien d’autre à faire.
        Mauvais bouton ? Vous pouvez annuler pendant 15 minutes.
        Annuler
        Votre choix est annulé
        Comme avant, {1} peut vous envoyer des e-mails.
        Cela ne peut plus être annulé ici
        L’annulation est possible pendant 15 minutes et seulement sur la page qui a annoncé le \
        changement. Rien n’a changé. Pour recevoir de nouveau ces e-mails, inscrivez-vous \
        auprès de l’expéditeur.
        Ce lien ne fonctionne pas
        Ouvrez encore une fois le lien dans l’e-mail d’origine, ou répondez à l’e-mail et \
        demandez à l’expéditeur de ne plus vous écrire.
        Retour aux choix
        """
    }
}
