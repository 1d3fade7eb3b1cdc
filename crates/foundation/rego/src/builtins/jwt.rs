//! JSON Web Tokens (RFC 7519), signed ones.

use super::encoding::{hex, url, url_encode};
use super::{Builtin, Env, Fault, Outcome, failed, object, ok, string};
use crate::crypto::keys::{PrivateKey, PublicKey, Scheme};
use crate::value::{Object, Real, Value};

/// How often a token may hold another one.
const NESTING_MAX: usize = 16;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("io.jwt.decode", 1, decode),
    Builtin::new("io.jwt.decode_verify", 2, decode_verify),
    Builtin::new("io.jwt.encode_sign", 3, |env, a| {
        object(a, 0)?;
        object(a, 1)?;
        object(a, 2)?;
        encode(env, &a[0].to_json(), &a[1].to_json(), &a[2])
    }),
    Builtin::new("io.jwt.encode_sign_raw", 3, |env, a| {
        let key =
            Value::from_json(string(a, 2)?).map_err(|error| Fault::Failed(format!("failed to parse JWK: {error}")))?;
        encode(env, string(a, 0)?, string(a, 1)?, &key)
    }),
    Builtin::new("io.jwt.verify_rs256", 2, |_, a| verify(a, "RS256")),
    Builtin::new("io.jwt.verify_rs384", 2, |_, a| verify(a, "RS384")),
    Builtin::new("io.jwt.verify_rs512", 2, |_, a| verify(a, "RS512")),
    Builtin::new("io.jwt.verify_ps256", 2, |_, a| verify(a, "PS256")),
    Builtin::new("io.jwt.verify_ps384", 2, |_, a| verify(a, "PS384")),
    Builtin::new("io.jwt.verify_ps512", 2, |_, a| verify(a, "PS512")),
    Builtin::new("io.jwt.verify_es256", 2, |_, a| verify(a, "ES256")),
    Builtin::new("io.jwt.verify_es384", 2, |_, a| verify(a, "ES384")),
    Builtin::new("io.jwt.verify_es512", 2, |_, a| verify(a, "ES512")),
    Builtin::new("io.jwt.verify_eddsa", 2, |_, a| verify(a, "EdDSA")),
    Builtin::new("io.jwt.verify_hs256", 2, |_, a| verify_secret(a, "HS256")),
    Builtin::new("io.jwt.verify_hs384", 2, |_, a| verify_secret(a, "HS384")),
    Builtin::new("io.jwt.verify_hs512", 2, |_, a| verify_secret(a, "HS512")),
];

/// A token's three sections, still encoded.
struct Token<'a> {
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
    /// What was signed: header, dot, payload.
    signed: &'a str,
}

impl<'a> Token<'a> {
    fn split(text: &'a str) -> Result<Self, Fault> {
        let parts: Vec<&str> = text.split('.').collect();
        let [header, payload, signature] = parts[..] else {
            return failed(format!("encoded JWT must have 3 sections, found {}", parts.len()));
        };
        Ok(Self {
            header,
            payload,
            signature,
            signed: &text[..text.len() - signature.len() - 1],
        })
    }

    fn header(&self) -> Result<Value, Fault> {
        let bytes = url(self.header).map_err(|e| Fault::Failed(format!("JWT header had invalid encoding: {e}")))?;
        let header = json(&bytes)?;
        if header.as_object().is_some_and(|header| header.get_str("enc").is_some()) {
            return failed("JWT is a JWE object, which is not supported");
        }
        Ok(header)
    }

    fn payload(&self) -> Result<Vec<u8>, Fault> {
        url(self.payload).map_err(|e| Fault::Failed(format!("JWT payload had invalid encoding: {e}")))
    }

    fn signature(&self) -> Result<Vec<u8>, Fault> {
        url(self.signature).map_err(|e| Fault::Failed(format!("JWT signature had invalid encoding: {e}")))
    }
}

fn json(bytes: &[u8]) -> Result<Value, Fault> {
    Value::from_json(&String::from_utf8_lossy(bytes)).map_err(|error| Fault::Failed(error.to_string()))
}

fn field<'v>(object: &'v Value, name: &str) -> Option<&'v Value> {
    object.as_object()?.get_str(name)
}

/// Whether the payload is a token again.
fn is_nested(header: &Value) -> bool {
    field(header, "cty")
        .and_then(Value::as_str)
        .is_some_and(|cty| cty.eq_ignore_ascii_case("JWT"))
}

/// A payload that is a token, maybe within the quotes of a JSON string.
fn nested_text(payload: &[u8]) -> String {
    String::from_utf8_lossy(payload).trim().trim_matches('"').to_owned()
}

fn decode(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let mut text = string(args, 0)?.to_string();
    for _ in 0..NESTING_MAX {
        let token = Token::split(&text)?;
        let header = token.header()?;
        let payload = token.payload()?;
        if is_nested(&header) {
            text = nested_text(&payload);
            continue;
        }
        let payload = json(&payload)?;
        if !matches!(payload, Value::Object(_)) {
            return failed("JWT payload is not a JSON object");
        }
        return ok(vec![header, payload, hex(&token.signature()?).into()]);
    }
    failed("the JWT is nested too deeply")
}

fn verify(args: &[Value], name: &str) -> Outcome {
    let text = string(args, 0)?;
    let keys = PublicKey::all_of(string(args, 1)?).map_err(Fault::Failed)?;
    let token = Token::split(text)?;
    let header = token.header()?;
    let signature = token.signature()?;
    let Some(scheme) = Scheme::named(name) else {
        return ok(false);
    };
    let kid = field(&header, "kid").and_then(Value::as_str);
    ok(keys
        .iter()
        .filter(|(id, alg, _)| {
            let other_id = keys.len() > 1 && kid.is_some() && id.is_some() && id.as_deref() != kid;
            !other_id && alg.as_deref().is_none_or(|alg| alg == name)
        })
        .any(|(_, _, key)| key.verify(scheme, token.signed.as_bytes(), &signature)))
}

fn verify_secret(args: &[Value], name: &str) -> Outcome {
    let token = Token::split(string(args, 0)?)?;
    let secret = PublicKey::Secret(string(args, 1)?.as_bytes().to_vec());
    token.header()?;
    let signature = token.signature()?;
    ok(Scheme::named(name).is_some_and(|scheme| secret.verify(scheme, token.signed.as_bytes(), &signature)))
}

/// What a token has to satisfy.
struct Constraints {
    keys: Vec<(Option<String>, Option<String>, PublicKey)>,
    secret: bool,
    algorithm: Option<String>,
    issuer: Option<String>,
    audience: Option<String>,
    time_ns: Real,
}

impl Constraints {
    fn read(env: &mut Env<'_>, object: &Object) -> Result<Self, Fault> {
        let mut out = Self {
            keys: Vec::new(),
            secret: false,
            algorithm: None,
            issuer: None,
            audience: None,
            time_ns: Real::from_i64(env.now_ns()),
        };
        let mut given = 0;
        for (name, value) in object.iter() {
            let name = name.as_str().unwrap_or_default();
            let text = || {
                let text = value.as_str().map(str::to_owned);
                text.ok_or_else(|| Fault::Failed(format!("{name} constraint: must be a string")))
            };
            match name {
                "cert" => {
                    out.keys = PublicKey::all_of(&text()?).map_err(Fault::Failed)?;
                    given += 1;
                }
                "secret" => {
                    out.keys = vec![(None, None, PublicKey::Secret(text()?.into_bytes()))];
                    out.secret = true;
                    given += 1;
                }
                "alg" => out.algorithm = Some(text()?),
                "iss" => out.issuer = Some(text()?),
                "aud" => out.audience = Some(text()?),
                "time" => {
                    let Some(time) = value.as_number() else {
                        return failed("time constraint: must be a number");
                    };
                    out.time_ns = time.to_real();
                }
                other => return failed(format!("unknown token validation parameter: {other}")),
            }
        }
        match given {
            0 => failed("no key constraint"),
            1 => Ok(out),
            _ => failed("duplicate key constraints"),
        }
    }

    fn signature_holds(&self, token: &Token<'_>, header: &Value) -> Result<bool, Fault> {
        let Some(name) = field(header, "alg").and_then(Value::as_str) else {
            return Ok(false);
        };
        if self.algorithm.as_deref().is_some_and(|wanted| wanted != name) {
            return Ok(false);
        }
        let Some(scheme) = Scheme::named(name) else {
            return Ok(false);
        };
        if matches!(scheme, Scheme::Hmac(_)) != self.secret {
            return Ok(false);
        }
        let kid = field(header, "kid").and_then(Value::as_str);
        let signature = token.signature()?;
        let by_id: Vec<_> = self
            .keys
            .iter()
            .filter(|(id, _, _)| kid.is_some() && id.as_deref() == kid)
            .collect();
        let candidates = if by_id.is_empty() {
            self.keys.iter().collect()
        } else {
            by_id
        };
        Ok(candidates
            .into_iter()
            .filter(|(_, alg, _)| alg.as_deref().is_none_or(|alg| alg == name))
            .any(|(_, _, key)| key.verify(scheme, token.signed.as_bytes(), &signature)))
    }

    fn claims_hold(&self, payload: &Value) -> Result<bool, Fault> {
        if let Some(issuer) = &self.issuer
            && field(payload, "iss").and_then(Value::as_str) != Some(issuer)
        {
            return Ok(false);
        }
        let audience = match (field(payload, "aud"), &self.audience) {
            (None, None) => true,
            (Some(Value::String(audience)), Some(wanted)) => **audience == **wanted,
            (Some(Value::Array(audiences)), Some(wanted)) => audiences.iter().any(|a| a.as_str() == Some(wanted)),
            _ => false,
        };
        if !audience {
            return Ok(false);
        }
        let moment = |name: &str| match field(payload, name) {
            None => Ok(None),
            Some(Value::Number(seconds)) => Ok(Some(seconds.to_real().mul(Real::from_i64(1_000_000_000)))),
            Some(_) => failed(format!("{name} value must be a number")),
        };
        let expired = moment("exp")?.is_some_and(|exp| self.time_ns >= exp);
        let early = moment("nbf")?.is_some_and(|nbf| self.time_ns < nbf);
        Ok(!expired && !early)
    }
}

fn decode_verify(env: &mut Env<'_>, args: &[Value]) -> Outcome {
    let mut text = string(args, 0)?.to_string();
    let constraints = Constraints::read(env, object(args, 1)?)?;
    let no = || ok(vec![false.into(), Value::empty_object(), Value::empty_object()]);
    for _ in 0..NESTING_MAX {
        let token = Token::split(&text)?;
        let header = token.header()?;
        // A header that must be understood and is not.
        if field(&header, "crit").is_some() || !constraints.signature_holds(&token, &header)? {
            return no();
        }
        let payload = token.payload()?;
        if is_nested(&header) {
            text = nested_text(&payload);
            continue;
        }
        let payload = json(&payload)?;
        return if constraints.claims_hold(&payload)? {
            ok(vec![true.into(), header, payload])
        } else {
            no()
        };
    }
    failed("the JWT is nested too deeply")
}

fn encode(env: &mut Env<'_>, header: &str, payload: &str, key: &Value) -> Outcome {
    let invalid = |why: &str| Fault::Failed(format!("missing or invalid 'alg' header: {why}"));
    let parsed = match Value::from_json(header) {
        Ok(parsed) => parsed,
        Err(_) if header.is_empty() => return Err(invalid("cannot parse JSON: cannot parse empty string")),
        Err(error) => return Err(invalid(&format!("cannot parse JSON: {error}"))),
    };
    let Some(name) = field(&parsed, "alg").and_then(Value::as_str) else {
        return Err(invalid("jwsbb: header \"alg\" not found"));
    };
    let Some(scheme) = Scheme::named(name) else {
        return failed(format!("unknown JWS algorithm: {name}"));
    };
    let is_jwt = field(&parsed, "typ").is_none_or(|typ| matches!(typ.as_str(), Some("" | "JWT")));
    if is_jwt && Value::from_json(payload).is_err() {
        return failed("type is JWT but payload is not JSON");
    }
    let key = PrivateKey::from_jwk(key).ok_or_else(|| Fault::Failed("failed to parse JWK".to_owned()))?;
    let signed = format!("{}.{}", url_encode(header.as_bytes()), url_encode(payload.as_bytes()));
    match key.sign(scheme, signed.as_bytes(), env.host) {
        Some(signature) => ok(format!("{signed}.{}", url_encode(&signature))),
        None => failed("failed to sign with this key and algorithm"),
    }
}
