// Portuguese. Machine-made: no speaker of the language has read it yet.
//
// A line a sentence, in the order of `Sentence` in Words.swift.

extension Words {
    static var portuguese: StaticString {
        """
        pt
        ltr
        Escolha os e-mails que recebe
        Este link pertence aos e-mails de {1}. Nada mudou ainda.
        Cancelar alguns temas
        Temas de {2}
        Cancelar os temas marcados
        Nenhum tema estava marcado; por isso nada mudou.
        Esta página mostra no máximo 32 temas.
        Fazer uma pausa
        Nenhum e-mail de {1} sobre {2} durante 30 dias. Depois podem voltar a chegar.
        Nenhum e-mail de {1} durante 30 dias. Depois podem voltar a chegar.
        Pausa de 30 dias
        Cancelar tudo
        Cancelar todos os e-mails de {1}
        Se alguém lhe encaminhou este e-mail, o link é dessa pessoa: os botões param os e-mails \
        dela, não os seus.
        A sua escolha está guardada
        {1} não lhe enviará mais e-mails sobre:
        {1} não lhe enviará e-mails sobre {2} durante 30 dias.
        {1} não lhe enviará e-mails durante 30 dias.
        {1} não lhe enviará mais e-mails deste tipo.
        Uma mensagem que já está a caminho ainda pode chegar. Não precisa de fazer mais nada.
        Botão errado? Pode desfazer durante 15 minutos.
        Desfazer
        A sua escolha foi desfeita
        Como antes, {1} pode enviar-lhe e-mails.
        Isto já não pode ser desfeito aqui
        É possível desfazer durante 15 minutos e apenas na página que anunciou a mudança. Nada \
        mudou. Para voltar a receber estes e-mails, inscreva-se junto do remetente.
        Este link não funciona
        Abra mais uma vez o link no e-mail original, ou responda ao e-mail e peça ao remetente \
        que deixe de lhe escrever.
        Voltar às opções
        """
    }
}
