// Spanish. Machine-made: no speaker of the language has read it yet.
//
// A line a sentence, in the order of `Sentence` in Words.swift.

extension Words {
    static var spanish: StaticString {
        """
        es
        ltr
        Elija qué correos recibe
        Este enlace es de los correos de {1}. Todavía no ha cambiado nada.
        Dejar algunos temas
        Temas de {2}
        Dejar los temas marcados
        No había ningún tema marcado, así que no ha cambiado nada.
        Esta página muestra 32 temas como máximo.
        Hacer una pausa
        Ningún correo de {1} sobre {2} durante 30 días. Después podrán volver a llegar.
        Ningún correo de {1} durante 30 días. Después podrán volver a llegar.
        Pausa de 30 días
        Dejar todo
        Darse de baja de todos los correos de {1}
        Si alguien le reenvió este correo, el enlace es de esa persona: los botones detienen \
        sus correos, no los de usted.
        Su elección está guardada
        {1} no le enviará más correos sobre:
        {1} no le enviará correos sobre {2} durante 30 días.
        {1} no le enviará correos durante 30 días.
        {1} no le enviará más correos de este tipo.
        Un mensaje que ya está en camino aún puede llegar. No tiene que hacer nada más.
        ¿Se equivocó de botón? Puede deshacerlo durante 15 minutos.
        Deshacer
        Su elección se ha deshecho
        Como antes, {1} puede enviarle correos.
        Esto ya no se puede deshacer aquí
        Se puede deshacer durante 15 minutos y solo en la página que anunció el cambio. No ha \
        cambiado nada. Para volver a recibir estos correos, suscríbase con el remitente.
        Este enlace no funciona
        Abra otra vez el enlace en el correo original, o responda al correo y pida al remitente \
        que deje de escribirle.
        Volver a las opciones
        """
    }
}
