"""The words by which mail programs mark what is not written by the sender: in the languages in which they come.

All are in lower case (casefolded), without the dashes, stars and colons around them.
"""

FROM, DATE, TO, CC, SUBJECT, REPLY_TO = "from", "date", "to", "cc", "subject", "reply-to"
MESSAGE_ID, OTHER = "message-id", "other"

LABELS = {
    FROM: """
        from|sender|von|absender|de|expéditeur|remitente|remetente|da|mittente|van|afzender|från|avsändare|fra|afsender
        avsender|frá|lähettäjä|keneltä|saatja|kellelt|no|sūtītājs|nuo|siuntėjas|od|nadawca|odesílatel|odosielateľ|feladó
        küldő|de la|expeditor|от|отправитель|от кого|подател|від|від кого|відправник|шаље|пошиљалац|pošiljatelj
        šalje|od koga|από|αποστολέας|kimden|gönderen|من|المرسل|מאת|از|فرستنده|प्रेषक|से|dari|pengirim|từ
        người gửi|จาก|ผู้ส่ง|发件人|发信人|寄件者|寄件人|發件人|差出人|送信者|送信元|보낸 사람|보낸사람|발신|발신인|보낸이
        প্রেরক|அனுப்புநர்|від кого|nga|mula sa|kutoka
    """,
    DATE: """
        sent|date|date sent|sent on|on|gesendet|gesendet am|datum|envoyé|envoyé le|envoyé à|date d'envoi|enviado
        enviado el|enviado em|enviada|enviada em|enviada el|fecha|fecha de envío|data|data invio|inviato|inviato il
        data de envio|verzonden|verzonden op|skickat|skickades|sendt|dato|dags|dagsetning|lähetetty|lähetysaika
        päivämäärä|päiväys|pvm|kuupäev|saadetud|nosūtīts|datums|išsiųsta|wysłano|wysłane|odesláno|odoslané|odoslal
        poslané|dátum|elküldve|küldve|küldés dátuma|küldés ideje|trimis|trimisă|data trimiterii|изпратено|дата
        дата отправки|отправлено|надіслано|дата надсилання|послато|датум|poslano|στάλθηκε|ημερομηνία|ημ/νία
        gönderildi|gönderme tarihi|gönderim tarihi|tarih|تاريخ الإرسال|تم الإرسال|أرسلت|التاريخ|تاريخ|בתאריך|נשלח
        תאריך|ارسال شده|تاریخ|भेजा गया|भेजा|दिनांक|तारीख|dikirim|terkirim|tanggal|tarikh|đã gửi|gửi|ngày|ngày gửi
        thời gian gửi|ส่ง|ส่งเมื่อ|วันที่|发送时间|发送日期|发送|日期|时间|寄件日期|傳送時間|寄件時間|發送時間|時間
        送信日時|送信日|日時|日付|보낸 날짜|보낸날짜|날짜|전송|보낸 시간|보낸시간|발송일|enviat|তারিখ
    """,
    TO: """
        to|an|à|destinataire|para|destinatario|destinatário|a|aan|till|til|vastaanottaja|kenelle|saaja|kellele|adressaat
        adresaat|kam|adresāts|adresatas|do|odbiorca|komu|címzett|către|catre|la|до|кому|до кого|получатель|получател
        отримувач|за|za|prejemnik|primatelj|прима|προς|παραλήπτης|kime|alıcı|إلى|الى|אל|ל|به|گیرنده|प्रति|को|सेवा में
        kepada|penerima|tới|đến|người nhận|ถึง|ผู้รับ|收件人|收件者|宛先|받는 사람|받는사람|수신|수신인|per a|প্রাপক
    """,
    CC: """
        cc|bcc|kopie|kopie an|copie à|copie|copia|con copia|cópia|ccn|per conoscenza|kopia|kopia till
        kopi|kopi til|kopio|koopia|kopija|dw|do wiadomości|kopie komu|kópia|másolat|másolatot kap|копия|копие|копія
        kp|bilgi|κοινοποίηση|κοιν|نسخة|نسخة إلى|עותק|רونوشت|رونوشت|प्रतिलिपि|tembusan|salinan|đồng gửi|สำเนา
        สำเนาถึง|抄送|抄送人|副本|同报|참조
    """,
    SUBJECT: """
        subject|betreff|objet|sujet|asunto|oggetto|assunto|onderwerp|ämne|emne|efni|aihe|otsikko|teema|temats|tēma
        tema|temat|předmět|věc|predmet|vec|tárgy|subiect|тема|относно|заглавие|предмет|naslov|zadeva|наслов|θέμα|konu
        الموضوع|موضوع|נושא|הנושא|विषय|perihal|subjek|subyek|judul|chủ đề|tiêu đề|เรื่อง|หัวเรื่อง|主题|主旨|主題|标题
        件名|題名|제목|assumpte|বিষয়|re
    """,
    REPLY_TO: """
        reply-to|reply to|antwort an|antworten an|répondre à|risposta|rispondi a|responder a|responder para
        antwoord aan|antwoorden aan|svar till|svar til|svara till|vastaus|vastausosoite|odpowiedz do|odpověď komu
        odpovědět komu|odpovedať komu|válaszcím|răspuns către|răspundeți|ответить|обратный адрес|отговор до
        кому відповісти|yanıtla|yanıt adresi|απάντηση προς|回复|回复地址|回覆|返信先|회신|회신 주소|الرد على|השב ל
    """,
    MESSAGE_ID: "message-id|message id|nachrichten-id|id de message|id del mensaje|id messaggio|id da mensagem",
    OTHER: """
        importance|priority|sensitivity|attachments|attachment|organization|wichtigkeit|priorität|anlagen
        anhang|anhänge|pièces jointes|pièce jointe|importancia|datos adjuntos|adjuntos|allegati|allegato
        anexos|anexo|bijlagen|bijlage|urgentie|prioritet|vedhæftede filer|vedlegg|bilagor|liitteet|tärkeys|załączniki
        přílohy|prílohy|mellékletek|atașări|вложения|важность|вкладення|важливість|прикачени файлове|ekler
        附件|添付ファイル|重要度|첨부|첨부파일|優先級|优先级|المرفقات|קבצים מצורפים|mailed-by|posted at|conversation
    """,
}
"""What stands before the colon in the header block of a quoted or forwarded mail."""

ORIGINAL = """
    original message|original mail|original email|original e-mail|original appointment|reply message|replied message
    ursprüngliche nachricht|ursprüngliche e-mail|originalnachricht|original-nachricht|original nachricht|originalmail
    message d'origine|message d’origine|message original|message initial|courriel original|mensaje original
    correo original|messaggio originale|messaggio di origine|mensagem original|oorspronkelijk bericht
    oorspronkelijke bericht|origineel bericht|ursprungligt meddelande|ursprungsmeddelande|originalmeddelande
    ursprungligt mail|oprindelig meddelelse|oprindelig besked|original meddelelse|original besked|oprindelig mail
    opprinnelig melding|opprinnelig e-post|original melding|upphafleg skilaboð|upprunaleg skilaboð
    alkuperäinen viesti|algne sõnum|algsõnum|oriģinālais ziņojums|sākotnējais ziņojums|originalus laiškas
    pradinis laiškas|wiadomość oryginalna|oryginalna wiadomość|wiadomość pierwotna|původní zpráva|původní e-mail
    pôvodná správa|eredeti üzenet|eredeti levél|mesaj original|mesajul original|mesaj inițial|оригинално съобщение
    първоначално съобщение|исходное сообщение|оригинальное сообщение|первоначальное сообщение|исходное письмо
    оригінальне повідомлення|вихідне повідомлення|початкове повідомлення|оригинална порука|originalna poruka
    izvorna poruka|izvirno sporočilo|originalno sporočilo|αρχικό μήνυμα|πρωτότυπο μήνυμα|özgün ileti|orijinal mesaj
    orijinal ileti|özgün mesaj|الرسالة الأصلية|رسالة أصلية|ההודעה המקורית|הודעה מקורית|پیام اصلی|मूल संदेश|मूल सन्देश
    pesan asli|mesej asal|tin nhắn gốc|thư gốc|thư ban đầu|ข้อความต้นฉบับ|ข้อความเดิม|原始邮件|原始郵件|原邮件|邮件原件
    原始信件|回复的原邮件|原件|元のメッセージ|オリジナルメッセージ|元のメール|원본 메시지|원본 메일|원본메일|원래 메시지
    missatge original|mensaxe orixinal|jatorrizko mezua|asalkirja|মূল বার্তা|answered message|ответ на сообщение
    komunikat oryginalny|quoted message|missatge d'origen|回复邮件信息|回覆郵件
"""
"""Above a mail that is answered; in dashes."""

FORWARDED = """
    forwarded message|forwarded mail|forwarded email|forwarded e-mail|begin forwarded message
    start of forwarded message|fwd message|original forwarded message|weitergeleitete nachricht
    weitergeleitete e-mail|anfang der weitergeleiteten nachricht|anfang der weitergeleiteten e-mail
    beginn der weitergeleiteten nachricht|ursprünglich weitergeleitete nachricht|message transféré|message réexpédié
    courriel transféré|début du message transféré|début du message réexpédié|début du courriel transféré
    message transmis|mensaje reenviado|inicio del mensaje reenviado|correo reenviado|messaggio inoltrato
    inizio messaggio inoltrato|inizio del messaggio inoltrato|mensagem encaminhada|mensagem reencaminhada
    início da mensagem encaminhada|início da mensagem reencaminhada|inicio da mensagem reenviada|mensagem reenviada
    doorgestuurd bericht|begin doorgestuurd bericht|begin van doorgestuurd bericht|doorgestuurde e-mail
    vidarebefordrat meddelande|vidarebefordrat brev|början på vidarebefordrat brev|påbörjat vidarebefordrat brev
    börja vidarebefordrat brev|vidarebefordrat mejl|videresendt meddelelse|videresendt besked|videresendt mail
    start på videresendt besked|start på videresendt meddelelse|videresendt melding|videresendt e-post
    videresendt e-post begynner|begynnelse på videresendt melding|start på videresendt melding
    starten på videresendt melding|áframsend skilaboð|áframsent bréf|välitetty viesti|edelleenlähetetty viesti
    välitetty viesti alkaa
    lähetetty edelleen viesti|edastatud sõnum|edastatud kiri|pārsūtīts ziņojums|pārsūtītais ziņojums
    persiųstas laiškas|persiunčiamas laiškas|wiadomość przekazana dalej|przekazana wiadomość|przekazywana wiadomość
    wiadomość przesłana dalej|początek przekazywanej wiadomości|początek przekazanej wiadomości|przeposlaná zpráva
    přeposlaná zpráva|začátek přeposlané zprávy|předávaná zpráva|preposlaná správa|preposlaná správa začína
    začiatok preposlanej správy|továbbított üzenet|továbbított levél|a továbbított levél kezdete|mesaj redirecționat
    mesaj redirectionat|mesaj transmis|începutul mesajului redirecționat|препратено съобщение|препратено писмо
    начало на препратеното съобщение|пересланное сообщение|пересылаемое сообщение|переадресованное сообщение
    начало переадресованного сообщения|начало пересылаемого сообщения|начало пересланного сообщения
    перенаправленное сообщение|переслане повідомлення|переадресоване повідомлення|початок пересланого повідомлення
    початок листа, що пересилається
    прослеђена порука|proslijeđena poruka|prosleđena poruka|posredovano sporočilo|poslano naprej
    προωθημένο μήνυμα|μήνυμα που προωθήθηκε|έναρξη προωθημένου μηνύματος|iletilen mesaj|yönlendirilmiş ileti
    iletilmiş mesaj|iletilen ileti başlangıcı|iletilmiş ileti|yönlendirilen mesaj|başlangıç yönlendirilen ileti
    الرسالة المعاد توجيهها|رسالة معاد توجيهها|رسالة مُعاد توجيهها|بدء الرسالة المعاد توجيهها|הודעה שהועברה
    הודעה מועברת|תחילת ההודעה שהועברה|پیام فوروارد شده|پیام هدایت شده|अग्रेषित संदेश|फ़ॉरवर्ड किया गया संदेश
    अग्रेषित किया गया संदेश|pesan terusan|pesan yang diteruskan|pesan diteruskan|mesej dikirim semula
    thư đã chuyển tiếp|thư chuyển tiếp|tin nhắn chuyển tiếp|tin nhắn được chuyển tiếp|ข้อความที่ส่งต่อ|จดหมายที่ส่งต่อ
    转发的邮件|转发邮件信息|转发邮件|以下是转发的邮件|下面是被转发邮件的开头|轉寄郵件|轉寄的郵件|轉寄的訊息|轉寄信件|以下是轉寄的訊息
    转发的信息|转发信息|已转发的邮件|以下為轉寄信件|転送されたメッセージ|転送メッセージ|転送メール|転送されたメール
    전달된 메시지|전달된 메일|전달된 메일 시작|전달된 메시지 시작|전달 메시지|missatge reenviat|mensaxe reenviada
    birtbidalitako mezua|ফরওয়ার্ড করা বার্তা
"""
"""Above a mail that is passed on: what follows is news to us, and stays. In dashes, or with a colon."""

FORWARDED_BY = "forwarded by|weitergeleitet von|transmis par|transféré par|reenviado por|inoltrato da|encaminhado por"
"""As HCL (Lotus) Notes begins it: `----- Forwarded by Ann Lee/Acme on 05/05/2016 10:00 AM -----`."""

WROTE = """
    wrote|writes|schrieb|schrieben|schreibt|geschrieben|écrit|ecrit|écrivait|escribió|escribio|escrito|escribe|scritto
    scrisse|scrive|escreveu|escreve|schreef|geschreven|schrijft|skrev|skrifaði|kirjoitti|kirjutas|rakstīja|uzrakstīja
    parašė|rašė|napisał|napisała|napisał(a)|napisał/a|napisal|napisala|napisal(a)|pisze|pisał|pisała|napsal|napsala
    napsal(a)|píše|pise|napísal|napísala|napísal(a)|írta|írja|scris|scrie|написа|написал|написала|написал(а)|написал/а
    пишет|писал|писала|писал(а)|написав|написала|написав(-ла)|написав(ла)|написав/ла|пише|писав|писала|напісаў|напісала
    написао|написала|написао/ла|написао(ла)|napisao|napisao/la|napisao/napisala|napisal/a|piše|έγραψε|έγραφε|γράφει|yazdı
    yazdi|yazmış|كتب|كتبت|كتب/ت|כתב|כתבה|כתב/ה|כתב(ה)|نوشت|نوشته|लिखा|लिखते|menulis|tulis|viết|เขียนว่า|escriure|escrigué
    quoting|zitat|citando|citerar|citerer|idatzi|লিখেছেন|লিখেছে|எழுதியது|எழுதினார்|shkroi|skryf|geskryf
"""
"""What somebody did who is quoted below: each a word of its own."""

WROTE_UNSPACED = "写道|寫道|写到|寫到|のメール|書きました|からのメッセージ|작성|님이 씀|썼습니다|เขียน|लिखा"
"""The same, in scripts that put no space around it."""

THE_AUTHORS_OWN = (
    "i|we|my|our|your|ich|wir|mein|meine|ihr|ihre|je|j'ai|nous|vous|votre|notre|nosotros|nuestro|eu|я|мы|ваш"
)
"""What a person says who tells of a mail, and no program that quotes one."""

REPLY_ABOVE = """
    reply above this line|type your reply above|reply above the line|write above this line|antworten sie oberhalb
    antworten oberhalb dieser|antwort bitte oberhalb|répondre au-dessus de cette ligne|répondez au-dessus
    responde por encima de esta|responda por encima de esta|rispondi sopra questa|responda acima desta
    antwoord boven deze|svar ovanför den|svar over denne|kirjoita vastauksesi tämän|odpowiedz powyżej tej
    odpovězte nad tímto|ответьте выше этой|bu satırın üzerine|请在此行上方|この行より上に
"""
"""The line that a ticket desk puts above what it quotes."""

SENT_FROM = """
    sent from|sent with|sent via|sent by|sent using|sent through|sent securely|sent on|mailed from|message sent from
    this message was sent|this email was sent|this mail was sent|typed on|written on|composed on
    von meinem|von meiner|vom|gesendet von|gesendet mit|gesendet über|gesendet vom|gesendet aus|gesendet per
    diese nachricht wurde|diese e-mail wurde|diese mail wurde
    provenance|envoyé de|envoyé depuis|envoyé à partir|envoyé avec|envoyé par|envoyé via|envoyé du|envoyée depuis
    ce message a été
    cet e-mail a été
    enviado desde|enviado de|enviado con|enviado a través|enviado por|enviado mediante|enviado usando
    este mensaje ha sido|este mensaje fue|enviado dende|enviat des|enviat amb
    inviato da|inviato dal|inviato con|inviato tramite|inviata da|inviato via|questo messaggio è stato
    enviado do|enviado pelo|enviado via|enviada do|enviado a partir|enviado com|enviado através|esta mensagem foi
    
    verzonden met|verzonden vanaf|verzonden vanuit|verzonden via|verzonden door|verstuurd vanaf|verstuurd met
    verstuurd vanuit|verstuurd via|gestuurd vanaf|dit bericht is|deze e-mail is
    skickat från|skickat med|skickat via|skickas från|detta meddelande
    sendt fra|sendt med|sendt via|sendt på|denne meddelelse|denne e-mail|last ned|sent úr|sent frá
    lähetetty|saadetud|nosūtīts no|nosūtīts ar|sūtīts no|išsiųsta iš|siųsta iš|išsiųsta naudojant
    wysłano z|wysłane z|wysłano za|wysłane za|wysłano przy|wiadomość wysłana|ta wiadomość została
    odesláno z|odesláno ze|odesláno pomocí|odesláno přes|posláno z|poslané z|odoslané z|odoslané zo|odoslané pomocou
    elküldve|küldve|
    trimis de|trimis din|trimis cu|trimis prin
    изпратено от|изпратено с|изпратено чрез|отправлено с|отправлено из|отправлено через|отправлено от
    отправлено при|послано с|это сообщение отправлено|это письмо отправлено
    надіслано з|надіслано із|надіслано через|надіслано за|відправлено з|відправлено із|відправлено через
    послато са|послато преко|poslato sa|poslato preko|poslano s|poslano iz|poslano z|pošiljeno
    στάλθηκε από|στάλθηκε με|εστάλη από|απεσταλμένο από
    نُشر من|مرسل من|مُرسل من|أُرسلت من|أرسل من|أرسلت من|ارسل من|تم الإرسال من|تم إرساله من|تم إرسالها من
    נשלח מ|ارسال شده از|ارسال از|فرستاده شده
    dikirim dari|dikirim dengan|dikirim melalui|terkirim dari|dihantar dari|dihantar daripada
    được gửi từ|đã gửi từ|gửi từ|ส่งจาก|ส่งมาจาก|ส่งโดย
    从|從|发自|發自|寄自|来自|來自|通过|透過|使用|由|已从
"""
"""How the footer of a telephone or of a mail program begins ..."""

SENT_AT_THE_END = """
    gesendet|נשלח|verzonden|verstuurd|küldve|elküldve|gönderildi|gönderilmiştir|edinin|indirin|yükleyin|भेजा गया
    から送信|より送信|を入手|で送信|보냄|보냈습니다|발송|전송|전송됨|다운로드|傳送|传送|发送|發送|发出|寄出|送信されました
"""
"""... or ends ..."""

DEVICES = """
    phone|iphon|ipad|ipod|android|samsung|galaxy|huawei|xiaomi|redmi|oneplus|oppo|realme|pixel|nokia|htc|xperia|motorola|alcatel
    blackberry|windows|outlook|gmx|web.de|gmail|yahoo|proton|mailbox|airmail|spark|thunderbird|k-9|bluemail|aquamail|aqua
    nexus|kindle|honor|lenovo|asus|fairphone|verizon|vodafone|t-mobile|hotmail|aol|icloud|yandex|typeapp|cloudmagic|newton
    polymail|shortwave|mailtrack|canary|missive|fairemail|roundcube|nine|mymail|boxer|superhuman|zoho|tutanota|mobil|cell|handy|smartphone|tablet|telefon|telefón|teléfono|téléphone
    móvil|movil|celular|cellular|telemóvel|telefoon|mobiel|puhelim|apple|ios|телефон|смартфон|мобильн|мобільн
    мобилн|устройств|пошт|почт|κινητό|τηλέφωνο|συσκευ|جوال|هاتف|موبايل|جهاز|آيفون|الايفون|טלפון|אייפון|נייד|גלקסי|گوشی
    تلفن|آیفون|फ़ोन|फोन|मोबाइल|điện thoại|di động|โทรศัพท์|มือถือ|ไอโฟน|手机|手機|移动|行動|邮箱|郵件|邮件|電話|スマホ
    スマートフォン|휴대폰|휴대전화|스마트폰|아이폰|갤럭시|메일|device|appareil|gerät|dispositivo|apparaat|enhet|enhed
    laite|urządzeni|zařízení|zariadeni|készülék|dispozitiv|cihaz|perangkat|thiết bị|อุปกรณ์
"""
"""... and what it must name, if not "my" something."""

GET_THE_PROGRAM = """
    get|holen sie sich|laden sie|télécharger|téléchargez|obtenir|obtenez|obtener|obtén|descargar|scarica|ottieni
    obter|obtenha|baixar|transferir|download|hämta|skaffa|ladda ner|hent|få|skaff|hanki|lataa|hangi|pobierz|uzyskaj
    získejte|získat|stáhnout|získajte|získať|obțineți|descărcați|вземете|скачать|получить|загрузить|установите
    отримати|завантажити|λήψη|αποκτήστε|الحصول على|احصل على|הורד את|השג את|קבל את|دریافت|dapatkan|tải|tải xuống|nhận
    รับ|ดาวน์โหลด|获取|取得|下载|下載
"""
"""... or the advertisement of a program ..."""

PROGRAMS = "outlook|yahoo|bluemail|proton|mailspring|edison|spark"
"""... and which one."""

MY = "my|meinem|meiner|mon|ma|mi|mio|mia|meu|minha|mijn|min|mitt|mein|mojego|mojej|mého|mojí|môjho|моего|моей|мого|моєї"
"""The same."""

EXCUSES = """
    please excuse|please forgive|please pardon|excuse|pardon|forgive|apologies for|sorry for|bitte entschuldigen
    entschuldigen sie|entschuldige|merci d'excuser|veuillez excuser|désolé pour|disculpe|disculpa|perdón por|scusa
    desculpe|excuseer|sorry voor
"""
"""How the line below it begins, in which telephones are sorry for their writers ..."""

TYPING = "typo|brevity|autocorrect|auto-correct|misspell|tippfehler|rechtschreib|kürze|faute|errores de|tipfout"
"""... and for what."""

NO_DEVICE = (
    "account|konto|compte|cuenta|conto|conta|rekening|card|karte|carte|tarjeta|carta|bank|wallet|paypal|счет|счёта"
)
"""What money is sent from."""


def phrases(table: str) -> frozenset[str]:
    """Return the phrases of a table."""
    return frozenset(phrase.strip().casefold() for phrase in table.replace("\n", "|").split("|") if phrase.strip())
