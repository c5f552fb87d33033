//! The signature of a message, as the specification of
//! [Standard Webhooks](https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md)
//! has it: HMAC-SHA256 over id, time and body, so that whoever gets it needs no code
//! of ours to check it.
//!
//! Invariant: pure; the key leaves only as part of a hash.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    prelude::BASE64_STANDARD,
};
use sha2::{Digest, Sha256};

use crate::host::secret::Secret;

/// The `webhook-signature` of a message: the version of the scheme, and the hash.
pub(super) fn signature(secret: &Secret, id: &str, timestamp_secs: u64, body: &[u8]) -> String {
    let signed = [format!("{id}.{timestamp_secs}.").as_bytes(), body].concat();
    format!("v1,{}", BASE64_STANDARD.encode(hmac_sha256(&key(secret), &signed)))
}

/// A secret that begins with `whsec_` is in Base64, as the specification writes it; of
/// any other, its own bytes are the key.
fn key(secret: &Secret) -> Vec<u8> {
    let encoded = secret.expose().strip_prefix("whsec_");
    let decoded = encoded.and_then(|encoded| ANY_PADDING.decode(encoded).ok());
    decoded.unwrap_or_else(|| secret.expose().as_bytes().to_vec())
}

/// What is wrong with a secret that says how it is written, and is not.
pub(super) fn secret_fault(secret: &Secret) -> Option<&'static str> {
    let encoded = secret.expose().strip_prefix("whsec_")?;
    ANY_PADDING.decode(encoded).is_err().then_some("begins with whsec_, but the rest is not Base64")
}

/// RFC 2104, section 2. Not by a crate: it would turn on features of those that sqlx has,
/// and they would all be built twice.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; BLOCK_BYTES];
    if key.len() > BLOCK_BYTES {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

/// Of SHA-256.
const BLOCK_BYTES: usize = 64;

const ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use std::{
        io::{ErrorKind, Write},
        process::{Command, Stdio},
    };

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// RFC 4231, test cases 1, 2 and 6.
    #[test]
    fn the_hash_is_that_of_the_rfc() {
        let long = [0xaa; 131];
        for (key, message, hash) in [
            (
                &[0x0b; 20][..],
                &b"Hi There"[..],
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &long,
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            assert_eq!(hex(&hmac_sha256(key, message)), hash);
        }
    }

    /// The example of the specification.
    #[test]
    fn a_secret_in_base64_is_decoded() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = br#"{"test": 2432232314}"#;
        let signed = signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(secret_fault(&secret), None);
        assert!(secret_fault(&Secret::new("whsec_no base 64")).is_some());
    }

    /// As Python's `hmac` made it, and makes it where there is a Python.
    #[test]
    fn another_implementation_makes_the_same_signature() {
        let (secret, id, body) = ("a shared secret", "0198-key", "{\"text\":\"größer\"}");
        let ours = signature(&Secret::new(secret), id, 1_764_440_000, body.as_bytes());
        assert_eq!(ours, PYTHONS);
        let program = "import base64, hashlib, hmac, sys\n\
                       key, id, at, body = sys.stdin.buffer.read().split(b'\\0')\n\
                       hash = hmac.new(key, id + b'.' + at + b'.' + body, hashlib.sha256).digest()\n\
                       print('v1,' + base64.b64encode(hash).decode())";
        let python = Command::new("python3")
            .args(["-c", program])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut python = match python {
            Err(error) if error.kind() == ErrorKind::NotFound => return,
            python => python.unwrap(),
        };
        let input = [secret, id, "1764440000", body].join("\0");
        python.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = python.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), ours);
    }

    const PYTHONS: &str = "v1,2lUNNvywVk39aBGrvF9ndQVDXU+PH56uxgSOzEGUSAQ=";
}
