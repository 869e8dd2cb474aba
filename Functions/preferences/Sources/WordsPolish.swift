// Polish. Machine-made: no speaker of the language has read it yet.
//
// A line a sentence, in the order of `Sentence` in Words.swift.

extension Words {
    static var polish: StaticString {
        """
        pl
        ltr
        Wybierz, jakie e-maile otrzymujesz
        Ten link dotyczy e-maili od {1}. Nic się jeszcze nie zmieniło.
        Rezygnacja z pojedynczych tematów
        Tematy: {2}
        Zrezygnuj z zaznaczonych tematów
        Nie zaznaczono żadnego tematu, więc nic się nie zmieniło.
        Ta strona pokazuje najwyżej 32 tematy.
        Przerwa
        Przez 30 dni żadnych e-maili od {1} na temat {2}. Potem mogą znów przychodzić.
        Przez 30 dni żadnych e-maili od {1}. Potem mogą znów przychodzić.
        Przerwa na 30 dni
        Rezygnacja ze wszystkiego
        Zrezygnuj ze wszystkich e-maili od {1}
        Jeśli ktoś przesłał Ci tę wiadomość dalej, link należy do tej osoby: przyciski \
        zatrzymują jej e-maile, a nie Twoje.
        Twój wybór został zapisany
        {1} nie będzie już wysyłać Ci e-maili na tematy:
        {1} przez 30 dni nie będzie wysyłać Ci e-maili na temat {2}.
        {1} przez 30 dni nie będzie wysyłać Ci e-maili.
        {1} nie będzie już wysyłać Ci e-maili tego rodzaju.
        Wiadomość, która jest już w drodze, może jeszcze dotrzeć. Nie trzeba robić nic więcej.
        Nie ten przycisk? Możesz to cofnąć w ciągu 15 minut.
        Cofnij
        Twój wybór został cofnięty
        Tak jak wcześniej, {1} może wysyłać Ci e-maile.
        Tego nie można już tutaj cofnąć
        Cofnąć można w ciągu 15 minut i tylko na stronie, która poinformowała o zmianie. Nic \
        się nie zmieniło. Aby znów otrzymywać te e-maile, zapisz się u nadawcy.
        Ten link nie działa
        Otwórz link z oryginalnej wiadomości jeszcze raz albo odpowiedz na nią i poproś \
        nadawcę, aby przestał do Ciebie pisać.
        Wróć do wyboru
        """
    }
}
