//! One certificate authority for servers, clients and the front proxy: enough for tests.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};

/// Writes `ca.crt`, `server.{crt,key}` (for 127.0.0.1, `localhost` and the names of the API's Service),
/// `front-proxy.{crt,key}` and `service-accounts.{crt,key}` into a folder.
pub(crate) fn write(folder: &Path) -> Result<()> {
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::new(Vec::<String>::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "testbed");
    let authority_certificate = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);
    fs::write(folder.join("ca.crt"), authority_certificate.pem())?;

    let names = [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
    ];
    let mut server = CertificateParams::new(names.map(str::to_owned).to_vec())?;
    for address in [Ipv4Addr::LOCALHOST, Ipv4Addr::new(10, 96, 0, 1)] {
        server.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(address)));
    }
    write_pair(folder, "server", server, &issuer)?;

    let mut proxy = CertificateParams::new(Vec::<String>::new())?;
    proxy.distinguished_name.push(DnType::CommonName, "front-proxy");
    write_pair(folder, "front-proxy", proxy, &issuer)?;

    // The API server reads public keys from certificates, and private ones in this form, but not public keys from
    // private ones in this form.
    write_pair(
        folder,
        "service-accounts",
        CertificateParams::new(Vec::<String>::new())?,
        &issuer,
    )
}

fn write_pair(folder: &Path, name: &str, parameters: CertificateParams, issuer: &Issuer<'_, KeyPair>) -> Result<()> {
    let key = KeyPair::generate()?;
    let certificate = parameters.signed_by(&key, issuer)?;
    fs::write(folder.join(format!("{name}.crt")), certificate.pem())?;
    fs::write(folder.join(format!("{name}.key")), key.serialize_pem())?;
    Ok(())
}
