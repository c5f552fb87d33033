//! What sentences, lists and tables say of a secret, in the languages of the names, and
//! what they say that is none.

use super::findings::{assert_gone, assert_left};

#[test]
fn a_sentence_says_what_a_password_is_or_was_changed_to() {
    assert_gone(&[
        ("the password is vetchsaddle", "vetchsaddle"),
        ("password was reset to linnetsorrel", "linnetsorrel"),
        ("login failed for bob, tried hunter2x and then hunter3x", "hunter3x"),
        ("new passowrd is biscuit-tin", "biscuit-tin"),
        ("user typed Snowdrop77 into the password box", "Snowdrop77"),
        ("Huckleberry_7 is the password, keep it", "Huckleberry_7"),
        ("Ihr Passwort wurde auf linnetsorrel zurückgesetzt", "linnetsorrel"),
        ("habe das Passwort auf Kirschbaum.4 geändert", "Kirschbaum.4"),
        ("j'ai remis le mot de passe à Croissant-8", "Croissant-8"),
        ("le cambié la contraseña a Girasol.5", "Girasol.5"),
        ("redefini sua senha para maracujá_88", "maracujá_88"),
        ("ho reimpostato la password in Tramonto-5", "Tramonto-5"),
        ("het wachtwoord is nu Stroopwafel_4", "Stroopwafel_4"),
        ("zmieniłem hasło na Bocian_12", "Bocian_12"),
        ("heslo jsem změnil na Knedlik_3", "Knedlik_3"),
        ("пароль пользователя: Снегирь77", "Снегирь77"),
        ("girilen şifre=lahmacun7 kullanıcı=ayse", "lahmacun7"),
        ("登录口令改成了 jasmine#618，您再试一下", "jasmine#618"),
        ("パスワードを「sakura2024」に変更しました", "sakura2024"),
        ("비밀번호를 hanriver77로 바꾸셨다고 함", "hanriver77"),
        ("كلمة المرور الجديدة هي Qahwa_77", "Qahwa_77"),
        ("mật khẩu mới là PhoBo_77", "PhoBo_77"),
        ("password: ******** (debug: lupin.field3)", "lupin.field3"),
        ("password len=9 val=tr!angle9", "tr!angle9"),
    ]);
    assert_left(&[
        "the password is wrong",
        "password was reset to default",
        "your password has expired, choose another one",
        "Das Passwort ist abgelaufen",
        "Adgangskoden er udløbet, vælg en ny",
        "Salasana on vanhentunut",
        "la contraseña es incorrecta",
        "le mot de passe a été modifié hier",
        "hasło zostało zmienione na innych urządzeniach",
        "пароль был изменен на другом устройстве",
        "密码错误，请重新输入",
        "* agent/command.c (cmd_get_passphrase): Factor code out",
        "use --ask-password to be asked for one",
    ]);
}

#[test]
fn a_number_beside_the_name_of_a_code_is_one_unless_it_counts() {
    assert_gone(&[
        ("pin reads 2093", "2093"),
        ("customer put their card PIN (9397) in the box", "9397"),
        ("PIN updated (was 6138, now 3937)", "3937"),
        ("the door code changed from 4711 to 4712", "4712"),
        ("PIN vom Safe lautet 4491", "4491"),
        ("inloggen met pincode 69442 lukt niet", "69442"),
        ("門禁代碼已改為 2944，請通知同仁", "2944"),
        ("Gebruik 283-691 als eenmalige code om in te loggen", "283-691"),
        ("Jangan berikan kode ini ke siapa pun: 791948", "791948"),
        ("used backup code BMYO020PJT, 7 left", "BMYO020PJT"),
        ("Name | Passcode\n---- | --------\nGate | 10112", "10112"),
    ]);
    assert_left(&[
        "pin 1234 bytes",
        "PIN failed after 5000 ms",
        "verification failed with code 2001",
        "pin has 4 digits",
        "otp sent to #4711",
        "pin retry counter is 3",
        "GPIO pin 12 is high",
        "2fa code expired after 3000 seconds",
        "otp length must be 6 digits",
        "HTTP status code 4001",
        "exit code 2001",
    ]);
}

#[test]
fn columns_and_next_lines_hold_the_values_of_what_heads_them() {
    assert_gone(&[
        ("USER      PASSWORD        LAST\nhelen     troy.horse12    never", "troy.horse12"),
        ("USER      PASSWORD\nhelen     horse", "horse"),
        ("Konto     PIN     Sperre\nhvogel    11061   nein", "11061"),
        ("user   pass\n====   ====\nann    2eupQVmQq0", "2eupQVmQq0"),
        ("(Pdb) p password\n'leguaan'", "leguaan"),
        ("$ read --secret=db-password\nPflaumen_Mus", "Pflaumen_Mus"),
        ("Username\nfreya\nPassword\nValkyrie&Mead\nServer", "Valkyrie&Mead"),
        ("use the following password to proceed:\n\n7ed9b4ce0d073b810aa30a1a1d66e728\n", "7ed9b4ce0d07"),
        ("networkkey\nbc258bd6b5503fb69e574ad275ed2d09\nDone", "bc258bd6b5503"),
        ("admin / Rack4Rules on the console port", "Rack4Rules"),
        ("response=\"\\0app\\0morsel-77-latch\"", "morsel-77-latch"),
    ]);
    assert_left(&[
        "USER      PASSWORD_SET    LAST\nhelen     yes             never",
        "secret     age\ndb-main    41 days",
        "Password\nForgot password?",
        "Password\nRemember me\nSign in",
        "COPY /app/token /usr/bin/token\n ---> 7de8f9ea5290",
        "password\n",
        "declare -x OLDPWD=\"/srv\"",
        "POST /password -> 302 /login",
        "consumer-tag=amq.ctag-Dtp_s3ECZmQ-vw2jq3ULp9",
        "(callid: EFOqT0tGSmbDnDBQko8N) - Failed to authenticate",
        "connect with postgres://USER:PASSWORD@HOST:5432/DB",
        "password: {{ .Values.db.password | b64enc | quote }}",
    ]);
}

#[test]
fn statements_forms_and_rows_of_bytes_hold_what_no_word_of_theirs_looks_like() {
    assert_gone(&[
        ("Host=pg;Username=hang;Password=moths to a flame;Database=jobs", "flame"),
        ("host=mx2 user=app password=telegraph pole hill use_tls=True", "pole"),
        ("could not parse 'SMTP_PASSWORD=hoppla hier fehlt was' at line 24", "fehlt"),
        ("DSN=dwh;Uid=loader;Pwd=Basalt Column;", "Column"),
        ("remote_password = wlfh jmig xksx dbjv # of this app", "dbjv"),
        ("Field error on field 'password': rejected value [hopscotch]; codes [Size.password]", "hopscotch"),
        ("\"password\" with value \"trombone\" fails to match the pattern", "trombone"),
        (r#"[{"loc":["body","new_password"],"msg":"too short","input":"gherkin7"}]"#, "gherkin7"),
        ("break-glass login breakglass/IceCream-Van4 was guessed", "IceCream-Van4"),
        (
            "solana keypair bytes [183, 32, 148, 168, 237, 66, 91, 184, 30, 240, 199, 140, 203, 24, 132, 229]",
            "148, 168",
        ),
        ("PMK - hexdump(len=16): e4 6e cd 72 25 12 d2 89 a4 37 f6 84 3e 2f f1 ee", "cd 72"),
        ("session key: bf:a0:2e:3f:f2:ea:a5:ab:86:7d:91:dc:31:f4:41:cf", "2e:3f"),
        ("cryptsetup --key-file <(echo -n V4ult-Tec.Boy) luksOpen", "V4ult-Tec.Boy"),
        ("request id 17: session key: bf:a0:2e:3f:f2:ea:a5:ab:86:7d:91:dc:31:f4:41:cf", "2e:3f"),
    ]);
    assert_left(&[
        "password: required for this host",
        "set ADMIN_PASSWORD and restart",
        "field 'password': rejected value [null]",
        "field \"password\": rejected value [a string], expected text",
        "\"password\" must be a string, received \"undefined\"",
        "no credentials for HTTP/web@LAN",
        "sign in fails on branch feature/JIRA-1234",
        "password hash: expected \"argon2id\", received \"bcrypt\"",
        "handshake failed: received SSH2_MSG_DISCONNECT from peer",
        "TLS handshake: received 16 03 01 02 00 01 00 01 fc 03 03 5e 8a 21 b0 44",
        "logins per hour: [0, 0, 1, 2, 0, 0, 1, 2, 0, 0, 1, 2, 0, 0, 1, 2]",
        "private key fingerprint: bf:a0:2e:3f:f2:ea:a5:ab:86:7d:91:dc:31:f4:41:cf",
        "X509v3 Subject Key Identifier: 0E:03:00:27:7C:0F:37:6E:9E:38:B5:F6:EA:70:62:3D",
        "secret 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 of 20 shards",
        "diff <(echo one) <(echo two)",
    ]);
    // What is said of a password is no part of it.
    for (before, after) in [
        ("password=Tulip", " was not accepted; mail=ann@example.com"),
        ("retry 3; password=Tulip", " was not accepted by db1"),
        ("can't connect: password=Tulip", " for user bob isn't accepted"),
        ("bad password=Tulip", ": the connection is closed"),
        ("password=Tulip", " took 35 seconds"),
    ] {
        let clean = before.replace("Tulip", "[redacted:password]");
        assert_eq!(super::cleaned(&format!("{before}{after}")), format!("{clean}{after}"));
    }
}
