//! The words of the rules: names of secrets in the languages that programs are
//! written in, and what stands behind a name and is none.

use super::keys::{
    Nature::{self, Digits, Hint, Random, Strong, StrongLine, Weak, WeakLine},
    Place::{self, Anywhere, End},
};

/// Names that mean the same.
pub(super) struct Row {
    pub(super) rule: &'static str,
    pub(super) nature: Nature,
    pub(super) place: Place,
    /// In lower case and with plain letters; a `*` stands for the beginning of a
    /// longer word, or for its ending.
    pub(super) phrases: &'static [&'static str],
}

const fn row(rule: &'static str, nature: Nature, place: Place, phrases: &'static [&'static str]) -> Row {
    Row { rule, nature, place, phrases }
}

/// The first that matches decides.
#[rustfmt::skip]
pub(super) const KEYS: &[Row] = &[
    row("password", StrongLine, Anywhere, &["*passphrase", "pass phrase", "wachtzin", "frase de contrasena", "phrase secrete", "losenfras"]),
    row("mnemonic", StrongLine, Anywhere, &["seed phrase", "secret phrase", "recovery phrase", "seedphrase"]),
    row("mnemonic", StrongLine, End, &["mnemonic", "wallet"]),
    row("connection_string", StrongLine, Anywhere, &["*connectionstring", "connection string", "connstr", "conn str"]),
    row("password", Strong, Anywhere, &[
        "*password", "*passwd", "*passcode", "identified by", "requirepass", "masterauth",
        "pasword*", "passwor*", "passowrd*", "passwrod*", "passwird*", "paswrd", "passwort*", "*passwort", "*kennwort", "*kennw", "*paswort", "losungswort", "losungswortes", "zugangswort", // English slips, German
        "mot de passe", "mots de passe", "motdepasse", "mdp", "code secret", "mot secret", "phrase de passe", "*mdp", // French
        "contrasen*", "*contrasena", "palabra de paso", "clave de acceso", "claves de acceso", // Spanish, Catalan
        "senha", "*senha", "senhas", "palavra passe", "palavrapasse", "chave de acesso", // Portuguese
        "parola*", "parola chiave", "parola d ordine", "parolal*", // Italian, Romanian, Turkish
        "wachtwoord*", "*wachtwoord", "wachtwrd", "toegangscode", "ww", // Dutch
        "haslo", "hasla", "hasle", "haslem", "haselko", "haslu", "heslo", "hesla", "heslu", "hesle", "heslem", "lozink*", "zapork*", "geslo", "gesla", // Polish, Czech, Croatian, Slovene
        "losenord*", "losen", "adgangskod*", "kodeord*", "passord*", "lykilord*", // Nordic
        "salasan*", "parool*", "slaptazod*", "parole", "paroles", "jelszo*", "jelszav*", "sifre*", "sifresi*", // Finnish to Turkish
        "парол*", "пасс", "пасса", "лозинк*", "кодовое слово", "кодовым словом", "гасло", // Cyrillic
        "κωδικος", "κωδικοσ", "κωδικου", "κωδικο", "συνθηματικ*", "κωδικός", "κωδικό", "κωδικού", "סיסמ*", "הסיסמ*", "كلمة المرور", "كلمة السر", "كلمة مرور", "كلمة سر", "رمز عبور", "گذرواژه", "पासवर्ड", "পাসওয়ার্ড", "პაროლ*", "գաղտնաբառ*", "құпиясөз*", "pasahitz*", "contrasinal", "cyfrinair", "nenosiri", "kupiasoz", "networkkey", "nwk s key", "app s key", "parol", "parolingiz", "pass word", "pphrase", "passwordconfirm", "pwdconfirm", "network key", "networkkey", "wifi key", "wlan key", "key content", "wep key", "psk key", "cleartext", "securestring", "rootpw", "community string", "wlan schlussel", "wifi schlussel", "memorable word", "pass code",
        "mat khau", "matkhau", "kata sandi", "kata sandinya", "katasandi", "sandinya", "kata laluan", "รหัสผ่าน",
        "密码", "密碼", "口令", "暗号", "暗號", "通行碼", "パスワード", "パスコード", "暗証番号", "合言葉", "비밀번호", "비번", "암호", "패스워드",
    ]),
    row("password", Strong, End, &["psk", "authentication key", "key string", "digest key", "auth secondary", "passwrd", "passw", "userpass", "mdpasse", "*pswd", "pw", "pword", "passcode", "iparolja"]),
    row("secret", Strong, Anywhere, &[
        "secret id", "*clientsecret", "*secretkey", "scrt", "secret", "code verifier", "tacacs key", "radius key", "hmac key", "vapid key",
        "geheimnis", "cle secrete", "clave secreta", "secreto", "secert", "secrect", "geheimschlussel", "geheimschluessel", "segredo", "chave secreta", "segreto", "chiave segreta",
        "sekret", "hemlighet", "hemmelighet", "секрет", "секретный ключ", "密钥", "密鑰", "秘密鍵", "シークレット", "비밀키",
    ]),
    row("api_key", Strong, Anywhere, &[
        "*apikey", "api key", "x functions key", "subscription key", "license key", "licence key", "licensekey", "product key",
        "activation key", "integration key", "write key", "server key", "ingest key", "api schlussel", "lizenzschlussel", "cle api", "cle d api",
        "clave api", "clave de api", "chave api", "chave de api", "chiave api", "klucz api", "api nyckel", "api sleutel",
        "ключ api", "api ключ", "api密钥", "apiキー", "app key", "appkey", "application key", "dd application key", "account sid key", "geniekey", "genie key", "honeycomb team",
        "activation code", "license code", "licence code", "pragma key", "isakmp key",
    ]),
    row("access_key", Strong, Anywhere, &["*accesskey", "access key"]),
    row("access_key", Strong, End, &["*accountkey", "account key", "storage key", "shared key"]),
    row("private_key", Strong, Anywhere, &[
        "*privatekey", "private key", "signing key", "encryption key", "master key", "ssh key", "tls key", "deploy key", "decryption key", "aes key", "crypto key", "cipher key", "symmetric key", "secret access", "key material", "unseal key", "recovery key", "root key", "client key", "client key data", "wrapping key", "zone signing key", "tsig key",
        "privater schlussel", "privaten schlussel", "cle privee", "clave privada", "chave privada", "chiave privata", "klucz prywatny",
        "privat nyckel", "закрытый ключ", "приватный ключ", "私钥",
    ]),
    row("credentials", Strong, Anywhere, &["credential", "creds"]),
    row("password", Weak, End, &["pwd", "pwd neu", "*pwd", "*pw", "rocommunity", "rwcommunity", "loginpas", "*pass", "clave", "geheim", "sandi", "heslem", "community"]),
    row("token", Weak, End, &[
        "*token", "tok", "tkn", "tokken", "macaroon", "macaroons", "paseto", "biscuit token", "authtok", "device code", "invite code", "csrf", "xsrf",
        "refresh", "remember me", "jeton", "токен", "令牌", "トークン", "토큰", "assertion", "samlresponse", "saml response", "ticket", "nonce token",
    ]),
    row("auth", Weak, End, &["auth", "auth code", "authorization code", "auth key", "authkey", "logged in key", "secure auth"]),
    row("authorization", WeakLine, End, &["authorization", "authentification"]),
    row("cookie", WeakLine, End, &["cookie"]),
    row("session", Weak, End, &["session", "session id", "session key", "*sessionid", "*sessid", "sess id", "connect sid"]),
    row("secret", Weak, End, &["pepper", "salt", "seed", "seed key", "root seed", "unseal", "entropy", "shared access signature", "sharedaccesssignature"]),
    row("secret", StrongLine, End, &["security answer", "maiden name", "secret answer"]),
    row("id_document", Digits(5), End, &["national insurance", "national insurance number", "nino"]),
    row("id_document", Weak, End, &["passport", "passport number", "passport no", "tax id", "tax number", "steuer id", "nric", "national id", "drivers license", "driver license", "aadhaar", "id card number", "curp", "nin", "codice fiscale"]),
    row("jwt", Weak, End, &["jwt"]),
    row("bearer", Weak, End, &["bearer"]),
    row("connection_string", Weak, End, &["dsn"]),
    row("signature", Weak, End, &["signature", "sig", "hmac", "signature sha"]),
    row("cvv", Digits(3), End, &["cvv", "cvc", "cvv2", "security code"]),
    row("card", Digits(12), End, &["pan", "card number", "cardnumber", "card no", "credit card"]),
    row("pin", Digits(4), End, &["pin", "puk", "pin code", "geheimzahl", "kod pin", "lockbox", "safe combination", "пин код", "pincode", "pin kod", "turcode", "digicode", "code pin", "门禁代码", "門禁代碼", "الرقم السري", "رمز الدخول", "पिन", "pairing code", "setup code", "setup pin", "codigo de acceso", "codigo de acesso", "code d acces", "codice di accesso", "door code", "access code", "gate code", "alarm code"]),
    row("otp", Digits(4), End, &["backup code", "zugangscode", "user code", "wifi code", "wlan code", "scratch codes", "recovery code", "scratch code", "otp", "totp", "otp code", "totp code", "mfa code", "verification code", "passcode code", "one time code", "2fa code", "sms code", "tan", "scratch codes", "recovery codes", "dogrulama kodu", "dogrulama kodunuz", "확인코드", "確認コード", "رمز التحقق", "ओटीपी", "one time passcode", "security code", "login code", "reset code", "confirmation code", "your code", "use code", "code lautet", "ihr code", "dein code", "votre code", "tu codigo", "su codigo", "seu codigo", "auth code", "bestatigungscode", "sicherheitscode", "codice di verifica", "code de verification", "code de confirmation", "codigo de verificacion", "codigo de verificacao", "codigo", "kod weryfikacyjny", "verificatiecode", "код", "код подтверждения", "验证码", "認証コード", "인증번호"]),
    row("key", Random, End, &["key", "*key", "response", "inline", "schlussel", "cle", "chave", "chiave", "klucz", "ключ"]),
    row("ssn", Digits(4), End, &["ssn", "social security number", "itin", "cpf", "bsn", "pesel", "personnummer", "account number", "account no", "acct no", "aadhaar number", "medicare number", "health insurance", "health insurance id", "nif", "card security code"]),
    row("iban", Digits(10), End, &["iban"]),
    row("private_key", Random, End, &["p12", "pfx", "pkcs12", "pkcs8", "keystore", "jks", "pkcs8 der", "keypair"]),
    row("password", Hint, End, &["*login", "logon", "identified", "logging in", "logged in", "sign in", "signed in", "authenticate", "authentication", "authenticator", "wpa", "pmk", "keychain", "encrypt", "unlock", "eap", "handshake", "sasl", "zugangsdaten", "wachtwoorden", "log in", "forsokte", "provade", "provde", "provede", "kokeilin", "kokeili", "probaltam", "incercat", "essaye", "intento", "probo", "provato", "tentei", "tentou", "probowal", "zkousel", "пробовал", "пробовала", "спробував", "denedim", "denedi", "geprobeerd", "coba", "جرب", "logs in", "get in", "gets in", "let in", "lets in", "console", "wifi", "wlan", "wi fi", "rein", "einloggen", "anmelden", "anmeldung", "anmeldedaten", "inloggen", "connexion", "connecter", "entrar", "iniciar sesion", "accedere", "accesso", "logowania", "zalogowac", "prihlaseni", "войти", "вход", "входа", "вхід", "giris", "masuk", "dang nhap", "登录", "登入", "ログイン", "로그인", "تسجيل الدخول"]),
];

/// What a word of a language without spaces may end with, and be followed by its value.
pub(super) const PARTICLES: &[char] = &['为', '為', '是', 'は', 'が', 'を', '는', '은', '가', '이', '를'];

/// A name with one of these last tells something about a secret.
#[rustfmt::skip]
pub(super) const HARMLESS_ENDS: &[&str] = &[
    "age", "alg", "algorithm", "arn", "at", "attempt", "attempts", "bits", "bucket", "changed", "check", "class", "column",
    "count", "created", "days", "dir", "directory", "disabled", "duration", "enabled", "encoding", "encryption", "memory", "iterations", "rounds", "cost", "rotated", "complexity", "field", "toggle", "reset", "endpoint", "error",
    "errors", "exists", "expired", "expires", "expiry", "expiration", "fd", "field", "file", "filename", "format",
    "header", "hint", "host", "id", "ids", "in", "index", "invalid", "issuer", "kind", "label", "left", "len", "length",
    "limit", "manager", "match", "max", "method", "min", "mismatch", "missing", "mode", "ms", "name", "names", "number",
    "ok", "owner", "path", "policy", "port", "position", "prefix", "present", "prompt", "provider", "ref", "reset",
    "remaining", "required", "rotation", "row", "scheme", "scope", "score", "seconds", "secs", "service",
    "size", "source", "state", "status", "stdin", "store", "strength", "table", "timeout", "title", "ttl", "type", "types",
    "updated", "placeholder", "prevention", "uri", "url", "usage", "used", "user", "username", "version",
];

pub(super) const HARMLESS_BEGINNINGS: &[&str] = &[
    "has", "is", "max", "min", "needs", "num", "public", "requires", "total", "update", "change", "forgot",
    "show", "hide", "use", "allow", "enable", "disable", "validate", "require",
];

/// Behind these, a token only says where to go on, or that something was done once.
pub(super) const PAGES: &[&str] =
    &["page", "next", "continuation", "cursor", "fencing", "cancellation", "sync", "resume", "idempotency"];

/// What a compound word is not that ends like one.
#[rustfmt::skip]
pub(super) const WHOLE: &[&str] = &[
    "bypass", "compass", "encompass", "surpass", "trespass", "overpass", "underpass", "multipass", "monkey", "donkey", "turkey", "hotkey", "jockey", "whiskey",
    "passkey", "whitespace", "hockey", "lackey",
];

/// A name may go on with these and still mean the same.
#[rustfmt::skip]
pub(super) const NEUTRAL_ENDS: &[&str] = &[
    "again", "provided", "given", "input", "entered", "candidate", "computed", "received", "expected", "actual", "base", "bytes", "confirm", "confirmation", "current", "data", "hash", "hex", "new", "old", "plain", "plaintext", "previous", "raw", "str",
    "string", "text", "unique", "uniq", "idx", "val", "value", "values", "b64", "base64", "pem", "env", "plain",
];

/// There is no value, or one that shows nothing.
#[rustfmt::skip]
pub(super) const NOTHING: &[&str] = &[
    "none", "null", "nil", "undefined", "enabled", "disabled", "true", "false", "some(true)", "some(false)", "sensitive", "n/a", "yes", "no",
    "include", "omit", "same-origin", "anonymous", "use-credentials", "nothing", "nan", "nullptr", "empty", "unset", "default", "omitted", "removed", "prompt", "present", "absent", "stdin", "on", "off", "tbd", "todo", "change_me", "change-me", "replace_me", "masked", "anonymous", "unneeded", "never", "missing", "expired", "invalid", "valid", "revoked", "unknown", "granted", "denied", "required", "rejected", "accepted", "failed", "pending", "active", "inactive", "rotated", "refreshed", "cached", "supported", "unsupported", "verified", "changed", "unchanged",
];

/// With which a sentence about a secret goes on, in English and in other languages.
#[rustfmt::skip]
pub(super) const PROSE: &[&str] = &[
    "a", "absent", "access", "actual", "again", "algorithm", "all", "already", "an", "and", "any", "are", "argument", "as", "at", "attempt",
    "authentication", "bad", "basic", "be", "bearer", "boolean", "bool", "but", "by", "can", "can't", "cannot", "check", "closed", "config", "configuration",
    "connection", "contains", "could", "decode", "denied", "did", "does", "empty", "environment", "eof", "error", "expected", "failed", "failure", "field", "file",
    "flag", "for", "forbidden", "format", "found", "from", "got", "has", "have", "header", "identifier", "if", "illegal", "in", "incorrect", "input",
    "integer", "internal", "invalid", "io", "is", "isn't", "it", "its", "length", "limit", "line", "login", "malformed", "may", "mismatch", "missing", "must", "needs",
    "no", "not", "null", "of", "ok", "on", "only", "option", "optional", "or", "parameter", "parse", "permission", "please", "prompt", "read", "reset", "see",
    "set", "should", "signature", "string", "than", "that", "the", "there", "this", "timeout", "to", "too", "type", "unable", "unauthorized", "unknown", "unset", "until",
    "user", "valid", "validation", "value", "variable", "verification", "via", "was", "were", "when", "with", "without", "wrong", "you", "your",
    "ist", "nicht", "falsch", "fehlt", "fehler", "und", "oder", "der", "die", "das", "zu", "wurde", "muss", "darf", "abgelaufen", "ungultig", "leer", "vergessen", "kein", "keine",
    "est", "incorrecte", "invalide", "manquant", "requis", "obligatoire", "pas", "doit", "le", "la", "les", "et", "expire", "oublie", "incorrecta", "incorrecto", "invalida", "invalido", "no",
    "es", "debe", "falta", "requerida", "caducada", "olvidada", "errada", "errata", "sbagliata", "mancante", "scaduta", "deve", "onjuist", "ongeldig", "verplicht", "verlopen",
    "nie", "jest", "niepoprawne", "nieprawidlowe", "bledne", "wygaslo", "не", "неверный", "неверен", "неправильный", "истек", "обязателен", "отсутствует", "должен",
    "halipo", "vaara", "hianyzik", "gresita", "nespravne", "privalomas", "buida", "obrigatoria", "invalida", "inchange", "absente", "refuse", "keines", "vorhanden", "ausente", "puuttuu", "chybi", "lipseste", "hibas", "neplatne", "trukst", "utgatt", "mangler", "vazia", "vide", "vuota", "vacia", "leeg", "tom", "puste", "prazdne", "puudub", "vale", "expirada", "kotelezo", "obligatorie", "povinne", "obavezna", "netinkamas", "nepareiza",
    "felaktigt", "saknas", "ogiltigt", "forkert", "mangler",
];

/// With which a sentence begins that a form says of a value.
#[rustfmt::skip]
pub(super) const SENTENCES: &[&str] = &[
    "must", "should", "is", "isn't", "can", "can't", "cannot", "may", "has", "have", "does", "doesn't", "was", "were", "too", "required", "requires",
    "expected", "invalid", "please", "this", "field", "value", "minimum", "darf", "muss", "ist", "doit", "est", "debe", "deve",
];

/// What a value is of, not what it is.
#[rustfmt::skip]
pub(super) const TYPES: &[&str] = &[
    "string", "str", "&str", "&'static", "&mut", "text", "varchar", "char", "char[]", "char*", "byte[]", "bytes", "bytea", "int", "integer", "bigint", "bool",
    "boolean", "void", "any", "object", "fn", "func", "function", "async", "def", "const", "static", "struct", "uuid", "u8", "u16", "u32", "u64", "i32",
    "i64", "usize", "secretstring", "securestring", "password", "passwd", "sensitive", "buffer", "file", "path", "nullable", "number", "array", "list", "dict", "map", "bearer", "hidden", "optional",
    "securestring", "required", "type", "mail", "email", "username", "varchar2", "nvarchar", "cstring", "osstring", "self", "super", "lambda", "new", "await", "sizeof", "typeof", "prompt", "secret",
];

/// How words begin that have digits and are no secrets.
#[rustfmt::skip]
pub(super) const ALGORITHMS: &[&str] = &[
    "sha", "ecdsa", "ecdh", "scram", "hmac", "ed25519", "curve", "x25519", "secp", "chacha", "poly1305", "aes", "rsa", "oauth", "http", "utf", "argon", "pbkdf2", "md5", "base64",
    "es256", "hs256", "rs256", "bcrypt", "scrypt", "tls", "ssl", "cram", "xoauth", "gssapi", "digest", "ipv", "rfc", "x509", "pkcs", "p256", "win32", "log4", "oauth2", "auth0", "k8s", "line",
];

/// How what stands for a secret begins.
#[rustfmt::skip]
pub(super) const MASKS: &[&str] = &[
    "***", "[redacted", "<redacted", "[filtered", "[hidden", "<hidden", "(sensitive", "(redacted", "(hidden", "(known after", "(masked", "[masked", "<masked", "redacted", "[secret]",
    "xxxx", "\u{2022}\u{2022}", "...", "\u{2026}", "[protected", "[removed", "(none", "(null", "(not ", "(empty", "<secret", "<token", "<password", "<none", "<null", "<nil", "<empty", "<unset", "<sensitive",
    "[sensitive", "####", "--------", "++++++++", "masked",
];

/// What stands before credentials.
pub(super) const SCHEMES: &[&str] = &["basic", "bearer", "token", "apikey", "negotiate", "ntlm", "digest"];

/// What stands between a name and its value, in the languages of the names.
#[rustfmt::skip]
pub(super) const FILLERS: &[&str] = &[
    "provided", "is", "was", "le", "la", "el", "il", "=", "changed", "from", "old", "new", "are", "value", "to", "of", "as", "set", "with", "used", "entered", "given", "received", "sent", "now", "currently", "ist", "heisst", "heist", "typed", "supplied", "submitted", "expected", "actual", "wanted", "eingegeben", "eingegebenes", "erwartet", "altes", "neues", "alt", "neu", "saisi", "attendu", "ancien", "nouveau",
    "ingresada", "introducida", "esperada", "nueva", "antigua", "digitada", "informada", "inserita", "attesa", "nuova", "vecchia", "ingevoerd", "ingevoerde", "verwacht", "nieuw", "oud", "podane", "wpisane", "nowe", "stare", "zadane", "nove",
    "введен", "введенный", "новый", "старый", "введений", "новий", "girilen", "yeni", "eski", "masukan", "baru", "lama", "nhap", "vao", "moi", "angivet", "nytt", "indtastet", "equals", "reads", "cipher", "simple", "irreversible-cipher", "md5", "write", "read", "vaut", "lautet", "war", "est", "es",
    "e", "jest", "je", "to", "ar", "on", "er", "это", "был", "encrypted", "by",
];

/// What is called so has a name in one place and its value in another.
#[rustfmt::skip]
pub(super) const NAMES: &[&str] = &[
    "name", "key", "field", "header", "param", "parameter", "path", "label", "property", "variable", "var", "id", "k", "attribute", "option", "setting",
];

/// What the value is called there.
pub(super) const VALUES: &[&str] =
    &["value", "val", "v", "content", "data", "string", "text", "default", "valuestring", "stringvalue"];

/// What stands before whom or what a secret is for.
pub(super) const OF: &[&str] = &[
    "for", "of", "fur", "von", "pour", "de", "du", "para", "del", "per", "di", "da", "do", "voor", "van",
    "dla", "for", "till", "av", "для", "від", "pro", "k",
];

/// What stands right before a word that somebody tried, set or lets in with, in the
/// languages of the names.
#[rustfmt::skip]
pub(super) const LEADS: &[&str] = &[
    "with", "is", "was", "now", "tried", "trying", "then", "sending", "use", "used", "using", "got", "equals", "reads", "typed", "entered", "said", "usual", "s", "became", "be", "been", "rotate", "instead", "nu", "ser", "foi", "bylo", "byla", "ble", "blev", "oldu", "jadi", "pakai", "essaye", "puis", "kokeilin", "probowal", "пробовал", "пробовала", "спробував",
    "mit", "ist", "war", "lautet", "heisst", "heist", "jetzt", "neu", "verwendet", "nutze", // German
    "est", "etait", "vaut", "avec", "devient", "es", "era", "con", "usamos", "ahora", "com", "agora", // French to Italian
    "met", "med", "ar", "var", "er", "on", "z", "jest", "s", "se", // Dutch to Czech
    "это", "с", "был", "теперь", "це", "з", "ile", "olarak", "adalah", "dengan", "menjadi", "la", "bang", "هو", "είναι", "με", "है", "az", "este", "cu",
];

/// Verbs with which a sentence says what a secret is.
#[rustfmt::skip]
pub(super) const BEING: &[&str] = &[
    "is", "was", "equals", "reads", "ist", "war", "lautet", "heisst", "heist", "est", "etait", "vaut", "es", "era", "jest", "este", "adalah", "это",
];

/// What leads to that to which a secret was changed, and how words begin that say so.
#[rustfmt::skip]
pub(super) const TOWARDS: &[&str] = &["to", "auf", "para", "op", "naar", "na", "на", "till", "til", "ke", "menjadi", "thanh", "vers", "a", "in", "en", "σε", "в", "у", "zu"];
#[rustfmt::skip]
pub(super) const CHANGES: &[&str] = &[
    "chang", "reset", "rotat", "updat", "set", "gesetzt", "geander", "zuruck", "vergeben", "gewechselt", "modifi", "cambi", "restablec", "alter", "redefin", "mudou", "reimpost", "impostat", "gewijzig", "gezet", "zmieni", "ustaw", "zmen", "nastav",
    "измен", "сброш", "сменил", "постав", "змін", "скину", "andra", "satt", "endre", "andre", "nulstil", "diubah", "diganti", "doi", "schimb", "remis", "remettre", "troc", "troqu", "mudei", "αλλαξ", "άλλαξ",
];

/// How words end that only describe something.
#[rustfmt::skip]
pub(super) const DESCRIBING: &[&str] = &[
    "ed", "ing", "able", "ible", "less", "ful", "ive", "ous", "ent", "ant", "al", "ic", "ly", "lich", "ig", "bar", "en", "rd", "wd", "kt", "est", "ion", "ado", "ada", "ido", "ida", "oso", "osa", "ato", "ata", "uto", "uta", "ito", "ita", "ee", "aire", "toire", "eel", "ne", "ny", "na", "no", "te",
    "strong", "weak", "short", "long", "same", "stored", "needed", "good", "secure", "safe", "correct", "right", "plain", "secret", "hidden", "visible", "blank", "locked", "never", "default", "expire", "lost", "old", "new", "late", "sent", "kept", "known", "taken", "shown", "given", "chosen", "broken", "written", "case-sensitive", "read-only", "one-time",
    "ен", "на", "но", "ый", "ий", "ан", "та", "то",
];

/// What stands between two values of one name.
#[rustfmt::skip]
pub(super) const LINKS: &[&str] = &[
    " to ", " TO ", " -> ", "->", " = ", " => ", " and ", " or ", ", new ", " new ", ", now ", ", expected ", ", got ", " but got ", " != ", " == ", " nach ",
    " a ", " auf ", " REPLACE ", " replace ", " vs ", " new=", ", new=", " new: ", " instead of ", ", right: ", ", found ",
];

/// How the names of files and hosts end.
#[rustfmt::skip]
pub(super) const FILES: &[&str] = &[
    "bin", "c", "cc", "com", "conf", "cpp", "cs", "css", "d", "dart", "deb", "dll", "dmp", "dump", "erl", "ex", "example", "exe", "exs", "gif", "go", "gz", "h", "hs", "html", "ico",
    "img", "ini", "internal", "iso", "jar", "java", "jpeg", "jpg", "js", "json", "jsx", "kt", "local", "lock", "log", "map", "md", "mjs", "mp4", "net", "o", "org", "pdf", "php", "png",
    "py", "rb", "rlib", "rmeta", "rpm", "rs", "scala", "scope", "service", "sh", "slice", "so", "sock", "sql", "svelte", "svg", "swift", "tar", "toml", "ts", "tsx", "ttf", "txt", "vue",
    "wasm", "webp", "whl", "woff", "woff2", "xml", "xz", "yaml", "yml", "zip", "zst",
];
