//! The way to a fleet's store is encrypted, and leads to the server whose certificate it is.

use std::{fs, process::Command};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::{
    cluster::Cluster,
    instances::{Fleet, in_the_end},
    start::is_alone,
};

/// A cluster that has a certificate for `name`, and the query of a URL that trusts only who
/// issued it.
fn cluster_with_certificate_for(name: &str) -> (Cluster, String) {
    let cluster = Cluster::start();
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let trusted = cluster.directory().join("authority.pem");
    fs::write(&trusted, authority.pem()).unwrap();
    let data = cluster.directory().join("data");
    for (file, text) in [("server.crt", own.pem()), ("server.key", key.serialize_pem())] {
        let file = data.join(file);
        fs::write(&file, text).unwrap();
        let run = |program: &str, how: &str| {
            assert!(Command::new(program).arg(how).arg(&file).status().unwrap().success());
        };
        // The server takes no key that others can read.
        run("chmod", "600");
        run("chown", &format!("--reference={}", data.display()));
    }
    cluster.set("ssl", "on");
    (cluster, format!("sslrootcert={}", trusted.display()))
}

#[test]
fn a_connection_is_encrypted_and_the_certificate_checked() {
    let (cluster, trusted) = cluster_with_certificate_for("127.0.0.1");
    let with = |query: &str| format!("{}?sslmode=verify-full{query}", cluster.url());
    let fleet = Fleet::by(&cluster, with(&format!("&{trusted}")));
    let mut instance = fleet.start(0);
    instance.errs(1);
    in_the_end("it is counted there", || fleet.counted() == Some(1));
    let sessions =
        "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'alerts'
                       AND application_name = 'tracing-alert'";
    assert_eq!(cluster.admin(sessions), ["t"]);
    fleet.harness.provider.wait_for(1, 1);
    assert_eq!(instance.said(), [""; 0]);

    // Nobody on this machine trusts who issued it.
    is_alone(&Fleet::by(&cluster, with("")), &["fleet", "certificate"]);
}

#[test]
fn a_certificate_for_another_host_is_refused() {
    let (cluster, trusted) = cluster_with_certificate_for("db.example.com");
    let url = format!("{}?sslmode=verify-full&{trusted}", cluster.url());
    is_alone(&Fleet::by(&cluster, url), &["fleet", "certificate"]);
}
