//! With what the adapter goes to Prometheus.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flyball_core::Problem;
use serde::Deserialize;

use super::Flags;

/// The code of credentials that cannot be used.
pub const BAD_CREDENTIALS: &str = "FB2005";

/// Where the client's settings come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Client {
    /// Nothing is set.
    Default,
    /// The Pod's service account.
    InCluster,
    /// A kubeconfig.
    Kubeconfig {
        /// Its text.
        text: String,
    },
    /// An authority and, maybe, a certificate of our own.
    Certificates,
}

/// What a client of Prometheus is built from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Where they come from.
    pub client: Client,
    /// Authorities to trust, in PEM.
    pub roots_pem: Option<Vec<u8>>,
    /// Our certificate and its key, in PEM.
    pub certificate_pem: Option<(Vec<u8>, Vec<u8>)>,
}

#[derive(Deserialize)]
struct Kubeconfig {
    #[serde(default)]
    clusters: Vec<NamedCluster>,
}

#[derive(Deserialize)]
struct NamedCluster {
    #[serde(default)]
    cluster: KubeconfigCluster,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
struct KubeconfigCluster {
    certificate_authority_data: Option<String>,
}

fn problem(sentence: impl Into<String>) -> Problem {
    Problem::new(BAD_CREDENTIALS, sentence)
}

impl Credentials {
    /// Reads what the flags name; `read` gives a file's bytes.
    ///
    /// # Errors
    /// [`BAD_CREDENTIALS`] when two sources are named at once, or a file holds no usable certificate.
    pub fn from_flags(flags: &Flags, read: impl Fn(&str) -> std::io::Result<Vec<u8>>) -> Result<Self, Problem> {
        let read = |path: &str| read(path).map_err(|error| problem(format!("{path}: {error}")));
        let none = Self {
            client: Client::Default,
            roots_pem: None,
            certificate_pem: None,
        };
        let kubeconfig = flags.some("prometheus-auth-config");
        match (flags.is_on("prometheus-auth-incluster"), kubeconfig) {
            (true, Some(_)) => {
                let sentence =
                    "--prometheus-auth-incluster and --prometheus-auth-config are two sources of credentials";
                return Err(problem(sentence).hint("keep one of them"));
            }
            (true, None) => {
                let client = Client::InCluster;
                return Ok(Self { client, ..none });
            }
            (false, Some(path)) => {
                let text = String::from_utf8_lossy(&read(path)?).into_owned();
                check_kubeconfig(&text).map_err(|why| problem(format!("{path}: {why}")))?;
                let client = Client::Kubeconfig { text };
                return Ok(Self { client, ..none });
            }
            (false, None) => {}
        }
        let Some(path) = flags.some("prometheus-ca-file") else {
            return Ok(none);
        };
        let roots = read(path)?;
        check_certificates(&roots).map_err(|why| problem(format!("{path}: {why}")))?;
        let pair = flags
            .some("prometheus-client-tls-cert-file")
            .zip(flags.some("prometheus-client-tls-key-file"));
        let certificate_pem = match pair {
            None => None,
            Some((certificate, key)) => {
                let (pem, key) = (read(certificate)?, read(key)?);
                check_certificates(&pem).map_err(|why| problem(format!("{certificate}: {why}")))?;
                Some((pem, key))
            }
        };
        Ok(Self {
            client: Client::Certificates,
            roots_pem: Some(roots),
            certificate_pem,
        })
    }
}

fn check_kubeconfig(text: &str) -> Result<(), String> {
    let config: Kubeconfig = serde_saphyr::from_str(text).map_err(|error| error.without_snippet().to_string())?;
    for named in &config.clusters {
        let Some(data) = &named.cluster.certificate_authority_data else {
            continue;
        };
        let pem = STANDARD
            .decode(data)
            .map_err(|error| format!("certificate-authority-data: {error}"))?;
        check_certificates(&pem).map_err(|why| format!("certificate-authority-data: {why}"))?;
    }
    Ok(())
}

/// There is at least one certificate, and each is whole.
fn check_certificates(pem: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(pem);
    let mut certificates = 0;
    for block in text.split("-----BEGIN CERTIFICATE-----").skip(1) {
        let (body, _) = block
            .split_once("-----END CERTIFICATE-----")
            .ok_or("a certificate has no end")?;
        let body: String = body.split_whitespace().collect();
        let der = STANDARD
            .decode(body)
            .map_err(|error| format!("a certificate is no base64: {error}"))?;
        if !is_whole_sequence(&der) {
            return Err("a certificate is cut short".to_owned());
        }
        certificates += 1;
    }
    if certificates == 0 {
        Err("there is no certificate in it".to_owned())
    } else {
        Ok(())
    }
}

/// Whether bytes are one DER sequence from the first to the last.
fn is_whole_sequence(der: &[u8]) -> bool {
    let (header, length) = match der {
        [0x30, short, ..] if *short < 0x80 => (2, usize::from(*short)),
        [0x30, form, rest @ ..] => {
            let count = usize::from(form & 0x7f);
            let Some(bytes) = rest.get(..count).filter(|_| (1..=4).contains(&count)) else {
                return false;
            };
            (
                2 + count,
                bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)),
            )
        }
        _ => return false,
    };
    der.len() == header + length
}
