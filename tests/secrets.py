"""What nobody should keep, as people write it, made up by the hundred: card numbers, IBANs, codes, PINs and passwords
in the phrasings of the languages that we read."""

import string

from hypothesis import strategies as st

from bot.masking import IBAN_LENGTHS

# --- the values


def luhn(digits: list[int]) -> int:
    """The check digit for these, written from ISO/IEC 7812-1, annex B."""
    doubled = [digit * 2 if at % 2 == 0 else digit for at, digit in enumerate(reversed(digits))]
    return -sum(digit // 10 + digit % 10 for digit in doubled) % 10


@st.composite
def card_numbers(draw: st.DrawFn) -> str:
    """A card number of 13 to 19 digits with a right check digit, in one of the ways in which people write them."""
    first = draw(st.sampled_from(["4", "51", "2221", "34", "37", "36", "6011", "35", "60", "6304", "50", "62", "9"]))
    length = draw(st.integers(12, 18))
    digits = [int(digit) for digit in first] + draw(st.lists(st.integers(0, 9), min_size=18, max_size=18))
    number = "".join(map(str, [*digits[:length], luhn(digits[:length])]))
    gap = draw(st.sampled_from(["", "", " ", "-", ".", "\u00a0"]))
    return gap.join(number[at : at + 4] for at in range(0, len(number), 4))


@st.composite
def ibans(draw: st.DrawFn) -> str:
    """An IBAN of any country, with right check digits (ISO 13616): plain, in groups of four, or in lower case."""
    country = draw(st.sampled_from(sorted(IBAN_LENGTHS)))
    length = IBAN_LENGTHS[country] - 4
    account = "".join(draw(st.lists(st.sampled_from(string.digits), min_size=length, max_size=length)))
    if country in ("GB", "NL", "IE", "MT", "FR", "BH", "LV", "GI"):
        account = f"ABNA{account[4:]}"
    as_number = "".join(str(int(char, 36)) for char in f"{account}{country}00")
    iban = f"{country}{98 - int(as_number) % 97:02}{account}"
    written = draw(st.sampled_from(["plain", "groups", "hyphens", "lower"]))
    if written in ("groups", "hyphens"):
        gap = " " if written == "groups" else "-"
        return gap.join(iban[at : at + 4] for at in range(0, len(iban), 4))
    return iban.lower() if written == "lower" else iban


def digits(shortest: int, longest: int) -> st.SearchStrategy[str]:
    return st.text(string.digits, min_size=shortest, max_size=longest)


@st.composite
def passwords(draw: st.DrawFn) -> str:
    """A password that no dictionary knows: letters, digits and often a sign."""
    letters = draw(st.text(string.ascii_letters, min_size=4, max_size=9))
    sign = draw(st.sampled_from(["", "!", "#", "$", "_", "-", "@"]))
    return f"{letters}{sign}{draw(digits(2, 4))}"


# --- the phrasings; {} is where it stands

CARD_PHRASES = (
    "My card {} was declined", "card number: {}", "Please refund to {}", "I paid with {} yesterday.", "{}", "({})",
    "Mi tarjeta es {}, gracias", "número de tarjeta {}", "Meine Karte {} geht nicht", "Kartennummer: {}",
    "ma carte {} est refusée", "numéro de carte : {}", "meu cartão {} foi recusado", "la mia carta {} non funziona",
    "मेरा कार्ड {} काम नहीं कर रहा", "mera card number {} hai", "بطاقتي {} مرفوضة", "رقم البطاقة: {}",
    "exp 11/27 card={} name Ana", "cards: {} and another",
)  # fmt: skip

IBAN_PHRASES = (
    "Pay it to {} please", "IBAN: {}", "my account is {}.", "Mi IBAN es {}", "Meine IBAN lautet {}", "mon IBAN : {}",
    "o meu IBAN é {}", "il mio IBAN è {}", "मेरा IBAN {} है", "رقم الآيبان {}", "({})", "from {} to my savings",
    "Überweisung an {} fehlt", "virement vers {} refusé", "transferencia a {} fallida",
)  # fmt: skip

CVV_PHRASES = (
    "cvv {}", "CVV: {}", "my CVV is {}", "the CVC code is {}", "CVC2={}", "security code {}",
    "card security code: {}",
    "the 3 digits on the back are {}", "three digits on the back: {}", "el CVV es {}", "mi cvv {}",
    "código de seguridad: {}", "los tres dígitos de atrás son {}", "CVV de la tarjeta {}", "Die Prüfziffer ist {}",
    "Kartenprüfnummer: {}", "Prüfnummer {}", "Sicherheitscode lautet {}", "die drei Ziffern auf der Rückseite: {}",
    "le cryptogramme est {}", "cryptogramme visuel : {}", "code de sécurité {}", "les trois chiffres au dos : {}",
    "o código de segurança é {}", "CVV do cartão: {}", "os três dígitos do verso são {}", "il CVV è {}",
    "codice di sicurezza: {}", "सीवीवी {}", "मेरा CVV {} है", "मेरा सीवीवी नंबर {} है", "mera cvv {} hai",
    "رمز CVV هو {}",
    "رمز الأمان: {}", "رمز الحماية {}", "{} is my CVV", "{} es mi CVV", "csc: {}",
    "my card's cvv: {}", "the CVV on my card is {}", "CVV2 code {}", "cvv/cvc {}", "expiry 12/27 cvv {}",
    "el código de seguridad de mi tarjeta es {}", "Sicherheitscode auf der Karte: {}", "code CVV {}",
    "código de segurança do cartão {}", "رقم CVV {}", "CVV = {}, exp 03/28", "cvc: {} name on card Ana",
    "my cvv2 number is {}", "I also told the man my CVV {}", "el cvv que aparece atrás es {}",
    "CVC auf der Rückseite {}", "le code de sécurité au dos est {}", "meu código CVV é {}",
    "codice di sicurezza della carta {}", "cvv number {} hai", "رمز الأمان خلف البطاقة {}",
)  # fmt: skip

CODE_PHRASES = (
    "my code is {}", "the code: {}", "OTP {}", "OTP: {}", "otp is {}", "verification code {}",
    "I got the code {} by SMS",
    "the code I received is {}", "code that I got was {}", "one-time password {}", "one time code: {}", "2FA code {}",
    "login code {}", "passcode: {}", "your code is {}.", "{} is your verification code", "{} is my code",
    "confirmation code = {}", "authentication code: {}", "use {} as your verification code", "SMS code {}",
    "mi código es {}", "el código de verificación es {}", "código: {}", "el código que me llegó es {}",
    "me llegó el código {}", "código de un solo uso {}", "clave de un solo uso: {}", "{} es tu código",
    "mein Code ist {}", "Der Code lautet {}", "TAN: {}", "meine TAN ist {}", "Bestätigungscode {}", "Einmalcode: {}",
    "der SMS-Code war {}", "Verifizierungscode ist {}", "{} ist Ihr Code", "Einmalpasswort {}",
    "mon code est {}", "le code reçu est {}", "code de vérification : {}", "le code de confirmation {}",
    "code à usage unique : {}", "{} est votre code", "le code que j'ai reçu est {}",
    "meu código é {}", "o código de verificação é {}", "código de confirmação: {}", "recebi o código {}",
    "{} é o seu código", "il mio codice è {}", "codice di verifica: {}", "il codice che ho ricevuto è {}",
    "codice OTP {}",
    "{} è il tuo codice", "ओटीपी {}", "मेरा ओटीपी {} है", "ओटीपी {} आया", "OTP {} hai", "mera otp {} hai",
    "सत्यापन कोड {} है", "कोड {} है", "मेरा कोड: {}", "mera code {} hai", "वेरिफिकेशन कोड: {}",
    "رمز التحقق {}", "رمز التحقق هو {}", "الرمز هو {}", "الكود: {}", "كود التفعيل {}", "رمز التأكيد: {}",
    "وصلني الرمز {}",
    "{} هو رمز التحقق",
    "they asked for the code and I told them {}", "I gave him the code {}", "he asked me for the OTP, it was {}",
    "the SMS said {} is the code", "the verification code you sent me is {}",
    "I entered code {} and it said invalid", "your one-time passcode is {}", "OTP-{}", "otp={}&x",
    "security code sent: {}", "Your Amazon OTP is: {}", "<#> {} is your Facebook code", "code #{}", "my 2FA is {}",
    "auth code {}", "backup code: {}", "passcode is {}", "recibí el código {} por SMS",
    "me pidió el código y le di {}", "Ich habe die TAN {} eingegeben", "Code {} eingegeben", "mTAN {}",
    "SMS-TAN lautet {}", "j'ai saisi le code {}", "code reçu par SMS {}", "o código que recebi foi {}",
    "ho inserito il codice {}", "il codice è {}", "otp aaya {}", "maine otp {} bataya", "मैंने ओटीपी {} बताया",
    "الرمز الذي وصلني {}", "ادخلت الرمز {}", "I typed {} as the code", "The bank texted me {} as a code",
    "code I got by mail: {}", "confirmation code {} expired", "I received an OTP ({}) that I did not ask for",
    "OTP received {}", "got otp {} twice", "unlock code: {}", "the login code you sent ({}) is wrong",
    "Verification code is: {}. Do not share", "código OTP: {}", "me enviaron el código {}",
    "der Code aus der SMS ist {}", "Freigabecode {}", "code à 6 chiffres : {}", "código SMS {}", "ओटीपी नंबर {} है",
    "رمز التحقق الذي وصلني هو {}",
)  # fmt: skip

PIN_PHRASES = (
    "my PIN is {}", "PIN: {}", "pin {}", "PIN code {}", "my card PIN is {}", "the pin for my card is {}",
    "PIN number {}",
    "{} is my PIN", "mi PIN es {}", "el pin de mi tarjeta es {}", "PIN {}", "clave PIN: {}", "mi NIP es {}",
    "meine PIN ist {}", "PIN lautet {}", "Die Geheimzahl ist {}", "Geheimzahl: {}", "mein PIN-Code ist {}",
    "mon code PIN est {}", "code secret : {}", "mon code secret est {}", "code confidentiel {}",
    "meu PIN é {}", "o pin do cartão é {}", "código PIN: {}", "il mio PIN è {}", "codice PIN: {}",
    "पिन {} है", "मेरा पिन {} है", "मेरा PIN: {}", "mera pin {} hai", "atm pin {} hai", "एटीएम पिन {}",
    "الرقم السري {}", "الرقم السري هو {}", "رقمي السري {}", "رمز PIN: {}", "الرمز السري: {}", "رقم التعريف الشخصي {}",
    "pin is {}", "PIN-{}", "my pin number is {}", "my PIN ({}) does not work", "i typed my pin {} and it failed",
    "new pin: {}", "old PIN was {}", "atm pin={}", "my debit card pin is {}", "pin for card: {}",
    "mi clave del cajero es {}", "mi pin de la tarjeta: {}", "mein Pin lautet {}", "meine Geheimnummer ist {}",
    "PIN der Karte: {}", "mon code de carte est {}", "mon code confidentiel est {}", "minha senha do cartão é {}",
    "senha de 4 dígitos: {}", "mera pin number {} hai", "मेरा एटीएम पिन {} है", "الرقم السري للبطاقة {}",
    "The PIN I use is {}", "my pin was changed to {}", "PIN: {} , card blocked", "enter pin {} at the ATM",
    "PIN# {}", "mi PIN secreto {}", "mon code secret de carte bleue est le {}",
)  # fmt: skip

PASSWORD_PHRASES = (
    "password: {}", "my password is {}", "Password = {}", "the password is {} and it fails", "pwd: {}", "pw: {}",
    "pass: {}", "my login password was {}", "password for my account is {}", "passphrase: {}", "my pwd is {}",
    "mi contraseña es {}", "contraseña: {}", "la contraseña era {}", "mi clave es {}", "clave: {}",
    "contrasena es {}",
    "mein Passwort ist {}", "Passwort: {}", "das Kennwort lautet {}", "Kennwort: {}", "mein Passwort war {}",
    "mon mot de passe est {}", "mot de passe : {}", "mdp: {}", "mon mdp est {}", "le mot de passe était {}",
    "minha senha é {}", "senha: {}", "a senha era {}", "palavra-passe: {}", "a minha palavra-passe é {}",
    "la mia password è {}", "la password era {}", "parola d'ordine: {}",
    "मेरा पासवर्ड {} है", "पासवर्ड: {}", "पासवर्ड {} है", "mera password {} hai", "password hai {}",
    "كلمة المرور: {}", "كلمة المرور هي {}", "كلمة السر {}", "كلمة السر هي {}", "باسورد: {}", "الباسورد {}",
    "{} is my password", "{} es mi contraseña", "{} ist mein Passwort", "{} est mon mot de passe",
    "password {} does not work", "username ana password {}", "my password, {}, is refused",
    "I set my password to {}", "changed my password to {}", "pw {}", "user/pass: ana/{}", "pass is {}", "my pass {}",
    "Password - {}", "temporary password: {}", "the password I use is {}", "Wi-Fi password → {}", "la clave es {}",
    "puse la contraseña {} y nada", "contraseña - {}", "Ich habe das Passwort {} benutzt", "Passwort lautete {}",
    "le mot de passe {} ne marche pas", "digitei a senha {}", "la mia password: {}", "पासवर्ड है {}",
    "كلمة سر حسابي {}", "كلمة مروري هي {}", "my password: \"{}\"", "password used: {}", "I log in with password {}",
    "Passwort={}", "pwd {}", "Pass: {} User: ana", "my online banking password is {}",
    "account password {} was leaked", "they know my password ({})", "mi contraseña antigua era {}",
    "clave de acceso {}", "mein altes Passwort war {}", "voici mon mot de passe : {}", "a minha senha é {}",
    "ecco la password {}", "mera password {} kaam nahi kar raha", "मेरा पासवर्ड {} काम नहीं कर रहा",
    "كلمة المرور الخاصة بي {}",
)  # fmt: skip

KINDS = {
    "card": (CARD_PHRASES, card_numbers()),
    "iban": (IBAN_PHRASES, ibans()),
    "cvv": (CVV_PHRASES, digits(3, 4)),
    "code": (CODE_PHRASES, digits(4, 8)),
    "pin": (PIN_PHRASES, digits(4, 6)),
    "password": (PASSWORD_PHRASES, passwords()),
}
AROUND = (
    "{}", "{}", "Hello, {} Please help.", "{}\nThanks, Ana", "Hola. {}", "Guten Tag! {} Danke", "Bonjour, {}",
    "नमस्ते, {}",
    "مرحبا، {}", "I cannot log in. {} What now?",
)  # fmt: skip


@st.composite
def told(draw: st.DrawFn, kind: str) -> tuple[str, str]:
    """A message in which a secret of this kind is told, and the secret."""
    phrases, values = KINDS[kind]
    secret = draw(values)
    phrase = draw(st.sampled_from(phrases))
    around = draw(st.sampled_from(AROUND))
    return around.format(phrase.format(secret)), secret


def bare(text: str) -> str:
    """What of a text counts when one looks whether a secret is in it: letters, digits and signs, without gaps."""
    return "".join(char for char in text.lower() if char not in " -.\u00a0\n")
