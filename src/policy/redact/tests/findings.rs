//! What was seen to leak or to be masked in vain, each with neighbours of its kind:
//! the same form with other names, values, quotes and surroundings.

use super::cleaned;

/// Texts and their secrets.
pub(super) type Leaks = &'static [(&'static str, &'static str)];

pub(super) fn assert_gone(leaks: Leaks) {
    let left: Vec<_> = leaks
        .iter()
        .map(|(text, secret)| (cleaned(text), secret))
        .filter(|(clean, secret)| clean.contains(*secret))
        .collect();
    assert!(left.is_empty(), "{left:#?}");
    assert!(leaks.len() > 10, "{}", leaks.len());
}

pub(super) fn assert_left(texts: &[&str]) {
    let touched: Vec<_> =
        texts.iter().map(|text| (text, cleaned(text))).filter(|(text, clean)| **text != clean).collect();
    assert!(touched.is_empty(), "{touched:#?}");
    assert!(texts.len() > 10, "{}", texts.len());
}

#[test]
fn a_block_of_a_key_goes_whatever_stands_before_it() {
    let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\nVJTUt9Us8cKjMzEfYyjiWA4R4";
    let kinds = [
        "PRIVATE KEY",
        "EC PRIVATE KEY",
        "RSA PRIVATE KEY",
        "OPENSSH PRIVATE KEY",
        "ENCRYPTED PRIVATE KEY",
        "PGP PRIVATE KEY BLOCK",
        "OpenVPN Static key V1",
    ];
    let befores = [
        "",
        "private_key: ",
        "SIGNING_KEY=",
        "tls secret: ",
        "key = \"",
        "{\"key\":\"",
        "x",
        "pem:\n  ",
        "password: ",
        "Some(\"",
        "export KEY='",
        "cannot parse ",
    ];
    for kind in kinds {
        for before in befores {
            for (is_escaped, end) in [(false, "\n-----END"), (true, "\n-----END"), (false, "")] {
                let text = format!("{before}-----BEGIN {kind}-----\n{body}{end}");
                let text = if is_escaped { text.replace('\n', "\\n") } else { text };
                let clean = cleaned(&text);
                assert!(!clean.contains("MIIEvQ") && !clean.contains("VJTUt9"), "{text}\n{clean}");
            }
        }
    }
    let putty =
        "PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\nAAAAIEgFdiKGKUhIk2Vb\nPrivate-MAC: 0f1e2d";
    assert!(!cleaned(&format!("loaded {putty}")).contains("AAAAIEg"));
    let age = concat!("AGE-SECRET-", "KEY-1Q21JDICK2SOU9JTQU9NJOZCUYJSO8FM3JL1VZHCWHN77ES5WB5FM5RT8FM");
    assert!(!cleaned(&format!("identity: {age}")).contains("Q21JDICK"));
}

#[test]
fn a_value_ends_where_it_ends() {
    assert_gone(&[
        ("rediss://default:p!a@ss#w0rd@cache:6380", "w0rd"),
        ("redis://:p@ss@w0rd/x@cache:6380/0", "w0rd"),
        ("amqp://svc:a#b?c/w0rd@mq:5672", "w0rd"),
        ("https://bob:hunter 2x@host", "2x"),
        ("postgres://app:two words@db1/orders", "words"),
        ("password='it''s a secret 9'", "secret 9"),
        ("PASSWORD 'o''clock 7x'", "clock"),
        ("password=\"say \"\"7x\"\" again9\"", "again9"),
        ("password = \"\"\"triple s3cret\"\"\"", "s3cret"),
        ("passphrase = '''it is \"fine\" 8x'''", "8x"),
        ("password: |\n  block s3cret\n  second l1ne\nuser: bob", "l1ne"),
        ("db:\n  password: >-\n    folded s3cret\n  port: 1", "s3cret"),
        ("password:\n  n3xt-line", "n3xt-line"),
        ("API key:\n\n    n3xtline12345678", "n3xtline"),
        ("Your password is:\nn3xt-line", "n3xt-line"),
        ("PASSWORD='a'\\''b7c8d9' run", "b7c8d9"),
        ("password=\\\"a b7c8d9\\\"", "b7c8d9"),
        ("password=`a b7c8d9`", "b7c8d9"),
        ("password: “a b7c8d9”", "b7c8d9"),
        ("password=«a b7c8d9»", "b7c8d9"),
        ("Pwd={a;b7c8d9};Server=x", "b7c8d9"),
        ("password=\"never closed b7c8d9", "b7c8d9"),
    ]);
}

#[test]
fn a_name_and_its_value_are_read_in_any_form() {
    assert_gone(&[
        ("[\"--password\", \"hunter2x\"]", "hunter2x"),
        ("\"app\" \"--api-key\" \"abc123def456\"", "abc123def456"),
        ("args: ['--db-password', 'hunter2x']", "hunter2x"),
        ("[\"-pass\", \"hunter2x\"]", "hunter2x"),
        ("<Password Type=\"PasswordText\">wsse-s3cret</Password>", "wsse-s3cret"),
        ("<a:Secret x=\"1\" y='2'>wsse-s3cret</a:Secret>", "wsse-s3cret"),
        ("<password><![CDATA[wsse<s3cret]]></password>", "s3cret"),
        ("<key>ApiToken</key><string>s3cretABC9</string>", "s3cretABC9"),
        ("<td>password</td><td>s3cretABC9</td>", "s3cretABC9"),
        ("{\"value\":\"hunter2x\",\"name\":\"password\"}", "hunter2x"),
        ("{\"val\": \"hunter2x\", \"type\": 1, \"key\": \"db.password\"}", "hunter2x"),
        ("- name: DB_PASSWORD\n  value: hunter2x", "hunter2x"),
        ("<input value='hunter2x' name='password'>", "hunter2x"),
        ("[[\"password\",\"hunter2x\"]]", "hunter2x"),
        ("[[\"user\",\"bob\"],[\"api_key\",\"hunter2x\"]]", "hunter2x"),
        ("{password,<<\"hunter2x\">>}", "hunter2x"),
        ("Content-Disposition: form-data; name=\"password\"\r\n\r\nhunter2x\r\n--b", "hunter2x"),
        ("form-data; name=\"api_token\"\n\nhunter2x\n--b", "hunter2x"),
        ("Key (api_token)=(abc123def456) already exists.", "abc123def456"),
        ("Key (user_id, api_token)=(17, abc123def456) already exists.", "abc123def456"),
        ("INSERT INTO u (name, password) VALUES ('bob', 'hunter2x')", "hunter2x"),
        ("insert into u(password,name) values('hunter2x','bob'),('hunter3x','eve')", "hunter3x"),
        ("user,password\nbob,hunter2x", "hunter2x"),
        ("| user | password |\n|---|---|\n| bob | hunter2x |", "hunter2x"),
        ("password[0]=hunter2x", "hunter2x"),
        ("password -> hunter2x", "hunter2x"),
        ("Password for bob: hunter2x", "hunter2x"),
        ("the password of bob is hunter2x", "hunter2x"),
        ("Password([104, 117, 110, 116, 101, 114, 50, 120])", "104, 117"),
        ("password: [0x68, 0x75, 0x6e, 0x74, 0x65, 0x72]", "0x75"),
        ("{\\\"password\\\":\\\"hunter2x\\\"}", "hunter2x"),
        ("%257B%2522password%2522%253A%2522hunter2x%2522%257D", "hunter2x"),
        ("&quot;password&quot;:&quot;hunter2x&quot;", "hunter2x"),
        ("{\\u0022password\\u0022:\\u0022hunter2x\\u0022}", "hunter2x"),
        ("data=eyJ1c2VyIjoiYm9iIiwicGFzc3dvcmQiOiJodW50ZXIyeCJ9", "dW50ZXIyeC"),
        ("\u{1b}[1mpassword\u{1b}[0m=hunter2x", "hunter2x"),
        ("**password**: `hunter2x`", "hunter2x"),
    ]);
}

#[test]
fn a_command_has_its_secret_where_the_program_takes_it() {
    assert_gone(&[
        ("curl -u bob:hunter2x https://h", "hunter2x"),
        ("[\"curl\", \"-u\", \"bob:hunter2x\"]", "hunter2x"),
        ("mysql -uroot -pSup3rS3cret shop", "Sup3rS3cret"),
        ("mysqldump -h db -pSup3rS3cret", "Sup3rS3cret"),
        ("sshpass -p hunter2x ssh h", "hunter2x"),
        ("docker login -u ci -p hunter2x r.example", "hunter2x"),
        ("redis-cli -a hunter2x ping", "hunter2x"),
        ("ldapsearch -D cn=a -w hunter2x", "hunter2x"),
        ("sqlcmd -S h -U sa -P hunter2x", "hunter2x"),
        ("mosquitto_pub -u bob -P hunter2x -t x", "hunter2x"),
        ("some-tool -u bob -p hunter2x", "hunter2x"),
        ("echo hunter2x | passwd --stdin bob", "hunter2x"),
        ("AUTH hunter2x", "hunter2x"),
        ("AUTH default hunter2x", "hunter2x"),
        ("a1 LOGIN bob hunter2x", "hunter2x"),
        ("AUTH PLAIN AGJvYgBodW50ZXIyeA==", "AGJvYgBodW50"),
        ("334 UGFzc3dvcmQ6\nQ2xvdmVyIURyaXp6bGU4", "Q2xvdmVyIURyaXp6"),
        ("PASS hunter2x", "hunter2x"),
        ("access key AKIAIOSFODNN7EXAMPLE with wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJalrXUtnFEMI"),
    ]);
}

#[test]
fn names_are_known_in_the_languages_of_programs() {
    let names = [
        "pw",
        "passwort",
        "Kennwort",
        "mot_de_passe",
        "mot de passe",
        "contraseña",
        "senha",
        "wachtwoord",
        "пароль",
        "ПАРОЛЬ",
        "密码",
        "密碼",
        "hasło",
        "heslo",
        "lösenord",
        "parola",
        "salasana",
        "adgangskode",
        "jelszó",
        "şifre",
        "パスワード",
        "비밀번호",
        "κωδικός",
        "DatenbankPasswort",
        "license_key",
        "contrase\u{f1}a",
        "contrasen\u{303}a",
        "ｐａｓｓｗｏｒｄ",
    ];
    for name in names {
        for text in [
            format!("{name}=hunter2x"),
            format!("{name}: hunter2x"),
            format!("{{\"{name}\": \"hunter2x\"}}"),
            format!("{name} = 'hunter2x'"),
            format!("{name}：hunter2x"),
        ] {
            assert!(!cleaned(&text).contains("hunter2x"), "{text}: {}", cleaned(&text));
        }
    }
    assert_gone(&[
        ("Ocp-Apim-Subscription-Key: 0a1b2c3d4e5f60718293a4b5c6d7e8f9", "0a1b2c3d"),
        ("refresh=tGzv3JOkF0XG5Qx2TlKWIA", "tGzv3JOkF0"),
        ("license_key: P1S0A-9FJAO-KMRNW", "P1S0A"),
        ("le mot de passe est hunter2x", "hunter2x"),
        ("la contraseña es hunter2x", "hunter2x"),
        ("das Passwort lautet hunter2x", "hunter2x"),
        ("密码是hunter2x", "hunter2x"),
        ("パスワードはhunter2xです", "hunter2x"),
        ("비밀번호는 hunter2x", "hunter2x"),
        ("clave api: abc123def456", "abc123def456"),
        ("cle_secrete=abc123def456", "abc123def456"),
    ]);
}

#[test]
fn shapes_are_known_without_a_name() {
    let body =
        |length: usize| "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0u1V2w3X4y5Z6".repeat(3)[..length].to_owned();
    let hex = |length: usize| "0a1b2c3d4e5f60718293a4b5c6d7e8f9".repeat(3)[..length].to_owned();
    let texts = [
        format!("https://x.webhook.office.com/webhookb2/{}@{}/IncomingWebhook/{}", hex(32), hex(32), hex(32)),
        format!("{}.atlasv1.{}", body(14), body(60)),
        format!("AAAAa1b2c3d:APA91b{}", body(60)),
        "otpauth://totp/x:bob?secret=JBSWY3DPEHPK3PXP&issuer=x".to_owned(),
        "jdbc:oracle:thin:scott/tiger99@//db:1521/x".to_owned(),
        format!("NRAK-{}", body(27).to_uppercase()),
        format!("ntn_{}", body(46)),
        format!("pscale_tkn_{}", body(43)),
        format!("PMAK-{}-{}", hex(24), hex(34)),
        format!("sbp_{}", hex(40)),
        format!("tskey-auth-{}", body(24)),
        format!("hvs.{}", body(24)),
        format!("https://h/cb?code={}", body(24)),
        format!("https://h/m?key={}", body(39)),
        format!("acme_live_{}", body(24)),
        "$2b$12$0JJLdxJH1AKBSX9FJFon83Gi2nioOeyi464vpCftYxWFLQwHJ11vc".to_owned(),
    ];
    for text in texts {
        assert_ne!(cleaned(&text), text);
    }
}

#[test]
fn what_is_shown_to_be_harmless_stays() {
    assert_left(&[
        "private_key_id: 17 is unknown",
        "api_key_id=17 revoked",
        "Session { id: 17, user: 42 }",
        "signature=void foo(int, char)",
        "mnemonic: MOV r1, r2",
        "passphrase: prompt cancelled",
        "usage: app --token <TOKEN>",
        "let token = parse(input)?",
        "--password PASSWORD  the password",
        "password: String,",
        "password: Option<SecretString>",
        "self.password = config.password;",
        "token = lexer.next_token()",
        "password=${DB_PASSWORD}",
        "secret: {{ .Values.secret }}",
        "password: 24 bytes",
        "tokens: 512",
        "UPDATE users SET password = $1",
        "INSERT INTO users (name, password) VALUES ($1, $2)",
        "{\"password\":[\"must be at least 8 characters\"]}",
        "Passwort: falsch",
        "mot de passe : incorrect",
        "contraseña incorrecta",
        "пароль: неверный",
        "unsupported: -----BEGIN RSA PRIVATE KEY----- is not read",
        "mkdir -p /srv/app1 && cargo run -p app2",
        "/run/secrets/db_password: No such file",
        "PASS 17 of 20",
        "AUTH failed for user app",
    ]);
}

/// What the capture's limit cut in half is found all the same.
#[test]
fn what_is_cut_is_found() {
    let jwt = concat!("eyJ", "hbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9");
    assert_gone(&[
        ("x=ghp_a1B2c…[cut]", "a1B2c"),
        ("x: glpat-a1B2c3…[cut]", "a1B2c3"),
        ("sent xoxb-12345…[cut]", "12345"),
        ("AKIAIOSF…[cut]", "IOSF"),
        ("postgres://app:p4ssw0…[cut]", "p4ssw0"),
        ("redis://:p4ssw0…[cut]", "p4ssw0"),
        ("password=\"two w0rds…[cut]", "w0rds"),
        ("{\"token\":\"abc123…[cut]", "abc123"),
        ("<password>hunter2x…[cut]", "hunter2x"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE…[cut]", "MIIE"),
        ("Password([104, 117, 110, 116, 101, 114, 50…[cut]", "104"),
        ("hooks.slack.com/services/T01/B02/a1B2…[cut]", "a1B2"),
    ]);
    let clean = cleaned(&format!("jwt {jwt}…[cut]"));
    assert!(!clean.contains("hbGci") && clean.ends_with("[cut]"), "{clean}");
}

/// Nothing that stands between a name and its value needs to be known.
#[test]
fn a_clause_that_tells_of_a_secret_loses_the_word_that_was_chosen() {
    assert_gone(&[
        ("user ann tried Winter2026! as password 3 times", "Winter2026"),
        ("invalid value: string \"NutmegMortar251\", expected password", "NutmegMortar251"),
        ("params: $1 = 'ann', $2 = 'ZxqleK54drdGAQ' -- set name=$1, password=$2", "ZxqleK54"),
        ("wifi password?\nbo: it's qX4XaQLDi3K8ofIK", "qX4XaQ"),
        ("+ [[ -z d4A^NOGuRmR ]]  # $ADMIN_PASSWORD", "NOGuRmR"),
        ("bad login for ann with Tr0ub4dor&3", "Tr0ub4dor"),
        ("hey, my password is rocket-coffee-pepper-banana", "coffee-pepper"),
        ("wireless_wpa string 4c0rn_290", "4c0rn"),
        ("credentials ann/Cr3d!slash rejected", "Cr3d!slash"),
        ("IDENTIFIED WITH sha256_hash BY '979c3448bd3d9db8f88e0720a56a8d2d'", "979c3448"),
        ("tool -k 'PumiceMagpie326' -m aes-256-gcm", "PumiceMagpie326"),
        ("tool -u ann -p 'pumicebellows' --shares", "pumicebellows"),
    ]);
    assert_left(&[
        "The password for user \"svc17\" expires in 14 days",
        "wrong passphrase for key id_ed25519_2024",
        "password reset email queued: msg_id=01HZX3K8Q2V5N7M9P4R6T8W0YB",
        "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 login failed",
        "secret \"db-secret-k7m2t9f4b6\" not found",
        "password authentication failed for user \"orders_app2\"",
        "ResetPasswordInput { token: ID! newPassword: String! }",
        "MD5 (password-list.zip) = 3bace2d31eaf1c40d2fc94617dfed835",
        "4c80a9b0 (Anna 2026-03-01 07:13:02 +0100 41) fn check_password(",
        "hostname:port:username:password:base_dn:flags",
        "next_page_token=CAUQAA",
        "security.W009: Your SECRET_KEY has less than 50 characters",
    ]);
}

/// A value need not stand behind its name, nor be the only one of it.
#[test]
fn what_is_called_a_secret_afterwards_or_in_a_list_is_one() {
    assert_gone(&[
        ("tried \"paprika.767\" as password of ann", "paprika"),
        ("value \"marble7277\" is not a valid password", "marble7277"),
        ("invalid value 'marble7277' for '--password <PASSWORD>'", "marble7277"),
        ("scw: b952cb35-69c9-ad74-99e1-546742023455 (secret)", "546742023455"),
        ("ann's password (marble7277) was reset", "marble7277"),
        ("generated password for new admin 'root': 1pYsQAUDEGpsWFig", "1pYsQAUD"),
        ("passwords:\n  - sable_walnut.2969\n  - o6360Pebble_\nusers:\n  - ann", "o6360Pebble"),
        ("{\"recovery_codes\":[\"12ptq-i0cha\",\"anbg8-w7ohc\"]}", "w7ohc"),
        ("row (4, ann, Thistle-3699): password 'Krill-5295'", "Thistle-3699"),
        ("a3 login ann {9}\n+ OK\n6z0nam1ks", "6z0nam1ks"),
        ("*2\r\n$4\r\nAUTH\r\n$10\r\nZzo81yHghv\r\n", "Zzo81yHghv"),
        ("curl -su 'ann:MarbleWillow7277' https://h", "MarbleWillow"),
        ("db_password <- \"marblewillow\"", "marblewillow"),
    ]);
    assert_left(&[
        "user 'ann42' sent a wrong password",
        "Pass nbytes to _gcry_sha1_hash_buffers.",
        "PASSWORD= is empty, falling back",
        "STATUS_PASSWORD_MUST_CHANGE (0xC0000224)",
        "gnutls_copy_secret_key, gnutls_copy_x509_privkey2,",
        "17-secrets.xml::add-token::anna ran, checksum 9:16fd026bafd5263fcdce2ec85caeacae",
        "ETag: W/\"5e8-Gp29uV7ZtzucoGoeDKbOHwnoxrE\"",
        "refs/heads/secret-rotation: 7448d8798a4380162d4b56f9b452e2f6f9e24e7a",
        "secret_key_base: <%= ENV[\"SECRET_KEY_BASE\"] %>",
        "connection string: amqp://%s:%s@%s:5672/",
        "(?P<token>[a-z]+)(?P<token>\\\\d+)",
    ]);
}

/// A row of shapes says where they are from; a prefix is that of one issuer.
#[test]
fn each_shape_has_its_source() {
    let mut prefixes = std::collections::BTreeSet::new();
    for issuer in crate::policy::redact::issuers::ISSUERS {
        assert!(issuer.source.starts_with("https://"), "{}", issuer.rule);
        for shape in issuer.shapes {
            assert!(shape.least <= shape.most, "{}", shape.prefix);
            let is_new = prefixes.insert((shape.prefix, shape.least));
            assert!(is_new, "{} is there twice", shape.prefix);
        }
    }
}
