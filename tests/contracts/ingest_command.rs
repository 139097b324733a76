//! SL-14: `licet ingest` reads files into a feed and resumes at the feed's position.

use std::{fs, path::Path, process::Output};

use licet_contracts::sanlicensing::v1::License;
use tempfile::TempDir;

use crate::harness::{
    Backend,
    certificates::Authority,
    on_both_databases,
    process::licet,
    san::{figures, issuer_der},
    world::World,
};

on_both_databases![
    sl_14_files_are_fed_in_once,
    sl_14_what_is_wrong_with_a_file_is_said
];

async fn run(world: &World, license: &License, feed: &str, files: &[&Path]) -> Output {
    let mut arguments = vec!["ingest".to_owned(), "--feed".to_owned(), feed.to_owned()];
    let owner = [
        ("--account", license.account_id.clone()),
        ("--product", license.product_ids[0].clone()),
        ("--san-licensing-url", world.san_licensing_address()),
    ];
    for (option, value) in owner {
        arguments.extend([option.to_owned(), value]);
    }
    arguments.extend(files.iter().map(|file| file.display().to_string()));
    let running = tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        licet(&arguments)
    });
    running.await.unwrap()
}

/// What the command printed and logged.
fn text(output: &Output) -> String {
    let both = [&output.stdout, &output.stderr];
    both.map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

fn line(count: u32, what: &str) -> String {
    format!("{count:>10}  {what}\n")
}

/// Two certificates as PEM, one as DER, and JSON lines with a certificate's facts and a revocation.
fn files(world: &World, folder: &TempDir) -> [std::path::PathBuf; 3] {
    let authority = Authority::new("Licet Test Authority");
    let sign = |name: &str| {
        let names = [name.to_owned()];
        authority.sign(&names, world.now(), world.usual_end())
    };
    let paths = ["many.pem", "one.der", "more.jsonl"].map(|name| folder.path().join(name));
    let pem: String = ["a.example", "b.example"]
        .map(|name| sign(name).pem)
        .concat();
    fs::write(&paths[0], pem).unwrap();
    let one = sign("c.example");
    fs::write(&paths[1], &one.der).unwrap();
    let issuer = hex(&issuer_der("Licet Test Authority"));
    let lines = format!(
        "{{\"report\":\"certificate\",\"issuer_der\":\"{issuer}\",\"serial\":\"0a\",\"sans\":[\"dns:D.example\",\
         \"email:d@example.com\"],\"not_before\":\"2026-01-01T00:00:00Z\",\"not_after\":\"2100-01-01T00:00:00Z\"}}\n\n\
         {{\"report\":\"revocation\",\"issuer_der\":\"{}\",\"serial\":\"{}\",\"reason\":\"SUPERSEDED\"}}\n",
        hex(&one.issuer_der),
        one.serial_hex
    );
    fs::write(&paths[2], lines).unwrap();
    paths
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn sl_14_files_are_fed_in_once(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 100).await;
    let folder = tempfile::tempdir().unwrap();
    let paths = files(&world, &folder);
    let [pem, der, lines] = paths.each_ref().map(std::path::PathBuf::as_path);
    let ran = run(&world, &license, "files", &[pem, der, lines]).await;
    assert!(ran.status.success(), "{ran:?}");
    assert!(
        text(&ran).contains(&line(4, "recorded in a licence")),
        "{ran:?}"
    );
    assert!(text(&ran).contains(&line(1, "revoked")), "{ran:?}");
    assert_eq!(figures(&world.usage(&license).await), (4, 0, 96));
    // A second run has nothing to do.
    let again = run(&world, &license, "files", &[pem, der, lines]).await;
    assert!(again.status.success(), "{again:?}");
    assert!(
        text(&again).contains(&line(0, "recorded in a licence")),
        "{again:?}"
    );
    // Fewer files are other content, which is sent and already known.
    let fewer = run(&world, &license, "files", &[pem]).await;
    assert!(fewer.status.success(), "{fewer:?}");
    assert!(
        text(&fewer).contains(&line(2, "already known")),
        "{fewer:?}"
    );
    // Another feed gets the same records as known; a damaged file makes the command exit with 1.
    let mut broken = fs::read(der).unwrap();
    let length = broken.len();
    broken[length / 3..length / 2].fill(0xff);
    let poisoned = folder.path().join("poisoned.der");
    fs::write(&poisoned, broken).unwrap();
    let other = run(&world, &license, "others", &[pem, &poisoned]).await;
    assert_eq!(other.status.code(), Some(1), "{other:?}");
    assert!(
        text(&other).contains(&line(2, "already known")),
        "{other:?}"
    );
    assert!(
        text(&other).contains("batch 1, record 2: MALFORMED: certificate_der"),
        "{other:?}"
    );
}

async fn sl_14_what_is_wrong_with_a_file_is_said(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 100).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrong.jsonl");
    fs::write(&path, "\n{\"report\":\"certificate\"}\n").unwrap();
    let ran = run(&world, &license, "files", &[&path]).await;
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    assert!(
        text(&ran).contains("wrong.jsonl:2: missing field"),
        "{ran:?}"
    );
    fs::write(&path, "neither PEM nor DER").unwrap();
    let ran = run(&world, &license, "files", &[&path]).await;
    assert!(text(&ran).contains("wrong.jsonl: "), "{ran:?}");
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 100));
}
