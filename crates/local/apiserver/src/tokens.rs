//! Tokens of service accounts: signed by the server, bound to the account, and checked without a lookup table.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flyball_core::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use serde_json::{Value, json};

/// Who signs. Source: kubeadm's default issuer.
pub(crate) const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// The shortest life of a token, in seconds. Source: TokenRequest's validation.
pub(crate) const SECONDS_MIN: i64 = 600;

/// The longest life of a token, in seconds: a year, as upstream allows at most 2^32.
pub(crate) const SECONDS_MAX: i64 = 365 * 24 * 3600;

/// The life of a token that asks for none, in seconds.
pub(crate) const SECONDS_DEFAULT: i64 = 3600;

/// A service account, and the object that its token is bound to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    /// The Pod that the token belongs to: name and unique id.
    pub(crate) pod: Option<(String, String)>,
    pub(crate) audiences: Vec<String>,
}

/// Signs and checks tokens with one key, which lives as long as the server.
pub(crate) struct Signer {
    key: EcdsaKeyPair,
}

impl Signer {
    /// Makes a key.
    pub(crate) fn generate() -> Result<Self, ring::error::Unspecified> {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)?;
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random);
        Ok(Signer {
            key: key.map_err(|_| ring::error::Unspecified)?,
        })
    }

    /// A JSON Web Token (RFC 7519, ES256) for an account.
    pub(crate) fn sign(&self, account: &Account, now: Timestamp, seconds: i64) -> Option<String> {
        let issued = now.as_second();
        let mut kubernetes = json!({
            "namespace": account.namespace,
            "serviceaccount": {"name": account.name, "uid": account.uid},
        });
        if let Some((name, uid)) = &account.pod {
            kubernetes["pod"] = json!({"name": name, "uid": uid});
        }
        let claims = json!({
            "iss": ISSUER, "aud": account.audiences, "iat": issued, "nbf": issued, "exp": issued + seconds,
            "sub": format!("system:serviceaccount:{}:{}", account.namespace, account.name),
            "kubernetes.io": kubernetes,
        });
        let head = json!({"alg": "ES256", "typ": "JWT"});
        let text = format!("{}.{}", encode(&head), encode(&claims));
        let signature = self.key.sign(&SystemRandom::new(), text.as_bytes()).ok()?;
        Some(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The account of a token that this server signed and that has not expired.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Option<Account> {
        let (text, signature) = token.rsplit_once('.')?;
        let (_, claims) = text.split_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.key.public_key().as_ref());
        key.verify(text.as_bytes(), &signature).ok()?;
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
        if claims["iss"] != ISSUER || claims["exp"].as_i64()? <= now.as_second() {
            return None;
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let kubernetes = &claims["kubernetes.io"];
        let pod = kubernetes.get("pod").map(|pod| (text(&pod["name"]), text(&pod["uid"])));
        Some(Account {
            namespace: text(&kubernetes["namespace"]),
            name: text(&kubernetes["serviceaccount"]["name"]),
            uid: text(&kubernetes["serviceaccount"]["uid"]),
            pod,
            audiences: claims["aud"].as_array().into_iter().flatten().map(text).collect(),
        })
    }
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_tokens_and_only_for_their_time() {
        let signer = Signer::generate().expect("a key");
        let now = Timestamp::from_second(1_000_000).expect("a time");
        let account = Account {
            namespace: "a".into(),
            name: "default".into(),
            uid: "u".into(),
            ..Account::default()
        };
        let token = signer.sign(&account, now, 600).expect("a token");
        assert_eq!(signer.verify(&token, now), Some(account));
        let later = Timestamp::from_second(1_000_600).expect("a time");
        assert_eq!(signer.verify(&token, later), None, "it has expired");
        assert_eq!(
            Signer::generate().expect("a key").verify(&token, now),
            None,
            "another server's"
        );
        let forged = token.replacen('.', ".e30", 1);
        assert_eq!(signer.verify(&forged, now), None);
        assert_eq!(signer.verify("a.b.c", now), None);
    }
}
