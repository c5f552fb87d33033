//! A request as the provider read it.

use std::time::Instant;

/// One request as the provider read it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) at: Instant,
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn is_sms(&self) -> bool {
        self.method == "POST" && self.path.ends_with("/Messages.json")
    }

    /// Whether it asks what became of one message, or whether an address is suppressed.
    pub(crate) fn is_question(&self) -> bool {
        let paths = ["/Messages/", "/v3/suppression/", "/v3/asm/"];
        self.method == "GET" && paths.iter().any(|path| self.path.contains(path))
    }

    /// Whether it asks which messages a number got.
    pub(crate) fn is_lookup(&self) -> bool {
        self.method == "GET" && self.path.contains("/Messages.json?")
    }

    pub(crate) fn is_mail(&self) -> bool {
        self.method == "POST" && !self.is_sms()
    }

    /// A field of the form, decoded.
    pub(crate) fn form(&self, name: &str) -> Option<String> {
        self.body.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            (key == name).then(|| percent_decode(value))
        })
    }

    /// The values of a header.
    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The SMS's text.
    pub(crate) fn text(&self) -> String {
        self.form("Body").unwrap()
    }

    /// The mail as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let hex = [rest.next().unwrap(), rest.next().unwrap()];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap());
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).unwrap()
}
