//! What the cryptographic built-ins stand on: DER, PEM, keys and certificates.

pub(crate) mod certificate;
pub(crate) mod der;
pub(crate) mod keys;

/// One block of a PEM text.
pub(crate) struct Pem {
    pub(crate) label: String,
    pub(crate) bytes: Vec<u8>,
}

/// The blocks of a PEM text; what stands between them is no matter.
pub(crate) fn pem(text: &str) -> Vec<Pem> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("-----BEGIN ") {
        let after = &rest[start + "-----BEGIN ".len()..];
        let Some((label, body)) = after.split_once("-----") else {
            break;
        };
        let end = format!("-----END {label}-----");
        let Some((body, next)) = body.split_once(&end) else {
            break;
        };
        let data: String = body
            .lines()
            .filter(|line| !line.contains(':'))
            .flat_map(|line| line.chars())
            .filter(|c| !c.is_whitespace())
            .collect();
        if let Ok(bytes) = crate::builtins::encoding::standard_decode(&data) {
            out.push(Pem {
                label: label.to_owned(),
                bytes,
            });
        }
        rest = next;
    }
    out
}
