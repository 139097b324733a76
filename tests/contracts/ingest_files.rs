//! SL-14: when a run of `licet ingest` succeeds, which records it refuses alone, and the file formats it
//! reads.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use licet_contracts::sanlicensing::v1::{
    GetFeedRequest, License, ListRefusedRecordsRequest, ingest_service_client::IngestServiceClient,
};
use prost::Message as _;
use tempfile::TempDir;

use crate::harness::{
    Backend,
    certificates::Authority,
    eventually, on_both_databases,
    process::{SanLicensingProcess, licet, licet_reading},
    world::World,
};

on_both_databases![
    sl_14_every_night_is_recorded_whatever_its_feed_and_its_file_are_called,
    sl_14_a_file_that_grew_is_gone_on_with,
    sl_14_records_that_were_refused_are_not_passed,
    sl_14_a_mistyped_product_is_corrected,
    sl_14_what_cannot_be_read_is_refused_alone,
    sl_14_joined_files_are_read_whatever_stands_between_them,
    sl_14_a_day_without_records_is_fine,
    sl_14_bundles_gzip_folders_and_the_standard_input_are_read,
    sl_14_a_pipe_with_both_kinds_of_reports_is_read_whole,
    sl_14_a_feed_that_broke_off_is_gone_on_with,
];

/// A certificate authority and the account that its certificates belong to.
struct Feeding {
    world: World,
    license: License,
    authority: Authority,
    folder: TempDir,
}

impl Feeding {
    async fn start(backend: Backend) -> Self {
        let (world, license) = World::start_licensed(backend, 100).await;
        Self {
            world,
            license,
            authority: Authority::new("Licet Test Authority"),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn pem(&self, name: &str) -> String {
        let names = [name.to_owned()];
        let (now, end) = (self.world.now(), self.world.usual_end());
        self.authority.sign(&names, now, end).pem
    }

    /// Writes a certificate for each name into one file.
    fn write(&self, file: &str, names: &[&str]) -> PathBuf {
        let text: String = names.iter().map(|name| self.pem(name)).collect();
        let path = self.path(file);
        fs::write(&path, text).unwrap();
        path
    }

    async fn run(&self, options: &[&str], files: &[&Path]) -> Output {
        let account = ["--account", &self.license.account_id];
        let product = ["--product", &self.license.product_ids[0]];
        let options: Vec<_> = [account, product]
            .iter()
            .flatten()
            .chain(options)
            .copied()
            .collect();
        self.run_as(&options, files, None).await
    }

    async fn run_as(&self, options: &[&str], files: &[&Path], input: Option<&Path>) -> Output {
        let url = self.world.san_licensing_address();
        self.run_at(&url, options, files, input).await
    }

    async fn run_at(
        &self,
        url: &str,
        options: &[&str],
        files: &[&Path],
        input: Option<&Path>,
    ) -> Output {
        let own = ["ingest", "--san-licensing-url", url];
        let mut arguments: Vec<String> =
            own.iter().chain(options).map(ToString::to_string).collect();
        arguments.extend(files.iter().map(|file| file.display().to_string()));
        let input = input.map(Path::to_owned);
        let running = tokio::task::spawn_blocking(move || {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            match input {
                None => licet(&arguments),
                Some(input) => licet_reading(&arguments, &input),
            }
        });
        running.await.unwrap()
    }

    async fn used(&self) -> i64 {
        self.world.usage(&self.license).await.used
    }
}

/// What the command printed and logged.
fn text(output: &Output) -> String {
    let both = [&output.stdout, &output.stderr];
    both.map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

/// The numbers of records recorded, stored without a licence, known and refused.
fn counts(output: &Output) -> [u32; 4] {
    let text = text(output);
    let count = |what: &str| {
        let line = text.lines().find(|line| line.ends_with(what));
        let line = line.unwrap_or_else(|| panic!("no {what}: {text}"));
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    [
        count("recorded in a licence"),
        count("stored without a licence"),
        count("already known"),
        count("  refused"),
    ]
}

#[track_caller]
fn passed(output: &Output, expected: [u32; 4]) {
    assert_eq!(counts(output), expected, "{}", text(output));
    let code = i32::from(expected[3] > 0);
    assert_eq!(output.status.code(), Some(code), "{}", text(output));
}

async fn sl_14_every_night_is_recorded_whatever_its_feed_and_its_file_are_called(backend: Backend) {
    let feeding = Feeding::start(backend).await;
    let mut used = 0;
    for (round, feed, file_stays) in [
        ("a", Some("nightly"), true),
        ("b", Some("nightly"), false),
        ("c", None, true),
        ("d", None, false),
    ] {
        for (night, count) in [(1, 3), (2, 3), (3, 4)] {
            let names: Vec<_> = (0..count)
                .map(|number| format!("{round}{night}-{number}.example"))
                .collect();
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let file = if file_stays {
                format!("issued-{round}.pem")
            } else {
                format!("issued-{round}{night}.pem")
            };
            let path = feeding.write(&file, &names);
            let options: Vec<_> = feed.iter().flat_map(|feed| ["--feed", feed]).collect();
            passed(&feeding.run(&options, &[&path]).await, [count, 0, 0, 0]);
            // The same content is recognised and not sent again.
            passed(&feeding.run(&options, &[&path]).await, [0, 0, 0, 0]);
        }
        used += 10;
        assert_eq!(feeding.used().await, used);
    }
}

async fn sl_14_a_file_that_grew_is_gone_on_with(backend: Backend) {
    let feeding = Feeding::start(backend).await;
    let path = feeding.write("issued.pem", &["a.example", "b.example"]);
    passed(&feeding.run(&[], &[&path]).await, [2, 0, 0, 0]);
    let more = fs::read_to_string(&path).unwrap() + &feeding.pem("c.example");
    fs::write(&path, more).unwrap();
    let ran = feeding.run(&[], &[&path]).await;
    passed(&ran, [1, 0, 0, 0]);
    assert!(
        text(&ran).contains("resumes after record 2"),
        "{}",
        text(&ran)
    );
}

async fn sl_14_records_that_were_refused_are_not_passed(backend: Backend) {
    let feeding = Feeding::start(backend).await;
    let path = feeding.write("issued.pem", &["a.example", "b.example", "c.example"]);
    let product = &feeding.license.product_ids[0];
    let mistyped = [
        "--feed",
        "nightly",
        "--account",
        "acc_1",
        "--product",
        product,
    ];
    for _ in 0..2 {
        passed(
            &feeding.run_as(&mistyped, &[&path], None).await,
            [0, 0, 0, 3],
        );
    }
    passed(
        &feeding.run(&["--feed", "nightly"], &[&path]).await,
        [3, 0, 0, 0],
    );
    assert_eq!(feeding.used().await, 3);
    // With `--skip-refused` the run goes past the refused records.
    let skipping = [&mistyped[..], &["--skip-refused"]].concat();
    passed(
        &feeding.run_as(&skipping, &[&path], None).await,
        [0, 0, 0, 3],
    );
    passed(
        &feeding.run_as(&mistyped, &[&path], None).await,
        [0, 0, 0, 0],
    );
    // The records before and after a refused one are ingested.
    let lines = feeding.path("lines.jsonl");
    let line = |serial: &str| {
        format!(
            "{{\"report\":\"certificate\",\"issuer_der\":\"3000\",\"serial\":\"{serial}\",\"sans\":[],\
             \"not_before\":\"2026-01-01T00:00:00Z\",\"not_after\":\"2100-01-01T00:00:00Z\"}}\n"
        )
    };
    fs::write(&lines, line("0a") + &line("0x") + &line("0c")).unwrap();
    let ran = feeding.run(&[], &[&lines]).await;
    passed(&ran, [2, 0, 0, 1]);
    assert!(
        text(&ran).contains("lines.jsonl:2: serial 0x: batch 1, record 1: MALFORMED"),
        "{}",
        text(&ran)
    );
    passed(&feeding.run(&[], &[&lines]).await, [0, 0, 1, 1]);
    fs::write(&lines, line("0a") + &line("0b") + &line("0c")).unwrap();
    passed(&feeding.run(&[], &[&lines]).await, [1, 0, 1, 0]);
}

async fn sl_14_a_mistyped_product_is_corrected(backend: Backend) {
    let feeding = Feeding::start(backend).await;
    let path = feeding.write("issued.pem", &["a.example", "b.example"]);
    let account = &feeding.license.account_id;
    let mistyped = [
        "--feed",
        "nightly",
        "--account",
        account,
        "--product",
        "intranet-ov",
    ];
    passed(
        &feeding.run_as(&mistyped, &[&path], None).await,
        [0, 2, 0, 0],
    );
    passed(
        &feeding.run(&["--feed", "nightly"], &[&path]).await,
        [2, 0, 0, 0],
    );
    assert_eq!(feeding.used().await, 2);
    // They count in the licence, so their product is final.
    let ran = feeding.run_as(&mistyped, &[&path], None).await;
    passed(&ran, [0, 0, 0, 2]);
    assert!(
        text(&ran).contains("issued.pem:1: serial "),
        "{}",
        text(&ran)
    );
    assert!(
        text(&ran).contains("CERTIFICATE_CONFLICT"),
        "{}",
        text(&ran)
    );
    assert_eq!(feeding.used().await, 2);
}

async fn sl_14_what_cannot_be_read_is_refused_alone(backend: Backend) {
    let feeding = Feeding::start(backend).await;
    let folder = feeding.path("issued");
    fs::create_dir(&folder).unwrap();
    let put = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).unwrap();
    let lines = feeding.pem("a.example").lines().count();
    put(
        "a.pem",
        (feeding.pem("a.example") + "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n")
            .as_bytes(),
    );
    put(
        "b.key",
        b"-----BEGIN PRIVATE KEY-----\nMAUCAQAwAA==\n-----END PRIVATE KEY-----\n",
    );
    put(
        "b.key.der",
        &[&[0x30, 0x81, 128, 2, 1, 0][..], &[0; 125]].concat(),
    );
    put("c.jsonl", b"{\"report\":\n{\"report\":\"revocation\",\"serial\":\"0b\",\"reason\":\"certificateHold\",\
        \"issuer_der\":\"3000\"}\n{\"report\":\"revocation\",\"serial\":\"0c\",\"reason\":\"keyCompromise\",\"issuer_der\":\"3000\"}\n");
    put("d.jsonl", b"");
    put("e.txt", b"a note to whoever reads this");
    put(
        "f.pem",
        (feeding.pem("f.example") + "-----BEGIN CERTIFICATE-----\nMAA=\n").as_bytes(),
    );
    put("g.pem", feeding.pem("g.example").as_bytes());
    let missing = feeding.path("missing.pem");
    let ran = feeding
        .run(&["--feed", "folder"], &[&folder, &missing])
        .await;
    passed(&ran, [3, 0, 0, 8]);
    for listed in [
        "a.pem:13: is a X509 CRL, not a certificate",
        "b.key:1: is a PRIVATE KEY, not a certificate",
        "b.key.der: is DER, but not a certificate",
        "c.jsonl:1: EOF",
        "c.jsonl:2: serial 0b: reason: \"certificateHold\"",
        "e.txt: is neither PEM, DER nor JSON lines",
        "f.pem:13: is a truncated PEM block",
        "missing.pem: cannot be read",
    ] {
        let listed = listed.replace(":13:", &format!(":{}:", lines + 1));
        assert!(text(&ran).contains(&listed), "{listed}: {}", text(&ran));
    }
    assert!(text(&ran).contains("revocations stored for later"));
    // Private keys never leave this machine.
    let request = ListRefusedRecordsRequest {
        feed_id: "folder".to_owned(),
        ..ListRefusedRecordsRequest::default()
    };
    let listed = feeding
        .world
        .san_ingest()
        .list_refused_records(request)
        .await;
    assert_eq!(listed.unwrap().into_inner().encoded_len(), 0);
}

/// Files with other line endings, and joined files whose last line has no end.
async fn sl_14_joined_files_are_read_whatever_stands_between_them(backend: Backend) {
    let feeding = Feeding::start(backend).await;
    let pem = |name: &str| feeding.pem(name).trim_end().to_owned();
    let revocation = |serial: &str| {
        format!(
            "{{\"report\":\"revocation\",\"serial\":\"{serial}\",\"reason\":\"keyCompromise\",\
             \"issuer_der\":\"3000\"}}"
        )
    };
    let cut_off = |name: &str| pem(name)[..100].to_owned();
    let cases = [
        (
            "joined",
            pem("a1.example") + &pem("a2.example") + &pem("a3.example"),
            3,
        ),
        (
            "crlf",
            (pem("b1.example") + "\n" + &pem("b2.example")).replace('\n', "\r\n"),
            2,
        ),
        (
            "cr",
            ("Bag\n".to_owned() + &pem("c1.example") + "\n" + &pem("c2.example"))
                .replace('\n', "\r"),
            2,
        ),
        (
            "one line",
            pem("d1.example").replace('\n', "") + &pem("d2.example").replace('\n', " "),
            2,
        ),
        (
            "white space",
            "  \t".to_owned() + &pem("e1.example").replace('\n', "\n  "),
            1,
        ),
        ("blank lines", pem("f1.example").replace('\n', "\r\r\n"), 1),
        (
            "text",
            "subject=CN = g".to_owned() + &pem("g1.example") + "issuer=CN = g",
            1,
        ),
        (
            "a word",
            "# put -----BEGIN CERTIFICATE----- first\n".to_owned() + &pem("h1.example"),
            1,
        ),
        (
            "pem, json",
            pem("i1.example") + &revocation("0a") + &revocation("0b"),
            1,
        ),
        (
            "json, pem",
            revocation("0c") + &pem("j1.example") + "\n" + &revocation("0d"),
            1,
        ),
    ];
    for (name, content, recorded) in cases {
        let path = feeding.path(name);
        fs::write(&path, content).unwrap();
        passed(&feeding.run(&[], &[&path]).await, [recorded, 0, 0, 0]);
    }
    let lines = pem("k1.example").lines().count();
    let at_the_end = format!("at the end:{}: is a truncated PEM block", lines + 1);
    let torn = [
        (
            "at the end",
            "\n".to_owned() + &pem("k1.example") + &cut_off("k2.example"),
            at_the_end.as_str(),
        ),
        (
            "in a line",
            cut_off("l1.example") + &pem("l2.example"),
            "in a line:1: is a truncated PEM block",
        ),
        (
            "in its end",
            pem("m1.example").trim_end_matches('-').to_owned() + &pem("m2.example"),
            "in its end:1: is malformed PEM",
        ),
    ];
    for (name, content, listed) in torn {
        let path = feeding.path(name);
        fs::write(&path, content).unwrap();
        let ran = feeding.run(&[], &[&path]).await;
        passed(&ran, [1, 0, 0, 1]);
        assert!(text(&ran).contains(listed), "{listed}: {}", text(&ran));
    }
}

async fn sl_14_a_day_without_records_is_fine(backend: Backend) {
    let feeding = Feeding::start(backend).await;
    let (empty, blank) = (feeding.path("revoked.jsonl"), feeding.path("blank.pem"));
    fs::write(&empty, "").unwrap();
    fs::write(&blank, "\n\n").unwrap();
    for options in [&[][..], &["--feed", "nightly"]] {
        passed(&feeding.run(options, &[&empty, &blank]).await, [0, 0, 0, 0]);
    }
    let issued = feeding.write("issued.pem", &["a.example"]);
    passed(&feeding.run(&[], &[&issued, &empty]).await, [1, 0, 0, 0]);
}

async fn sl_14_a_feed_that_broke_off_is_gone_on_with(backend: Backend) {
    const COUNT: u32 = 10_000;
    let feeding = Feeding::start(backend).await;
    let path = feeding.path("issued.jsonl");
    let lines: String = (1..=COUNT)
        .map(|number| {
            format!(
                "{{\"report\":\"certificate\",\"issuer_der\":\"3000\",\"serial\":\"{number:x}\",\
                 \"sans\":[\"dns:n{number}.example\"],\"not_before\":\"2026-01-01T00:00:00Z\",\
                 \"not_after\":\"2100-01-01T00:00:00Z\"}}\n"
            )
        })
        .collect();
    fs::write(&path, lines).unwrap();
    let (location, billing) = (
        feeding.world.san_licensing_location(),
        feeding.world.billing_address(),
    );
    let mut process = SanLicensingProcess::start(&location, &billing).await;
    let url = process.address();
    let options = [
        "--feed",
        "nightly",
        "--account",
        &feeding.license.account_id,
        "--product",
        &feeding.license.product_ids[0],
    ];
    let file = [path.as_path()];
    let running = feeding.run_at(&url, &options, &file, None);
    let killing = async {
        let client = IngestServiceClient::new(process.channel());
        eventually("some records are ingested", || {
            let mut client = client.clone();
            async move {
                let request = GetFeedRequest {
                    feed_id: "nightly".to_owned(),
                };
                let feed = client.get_feed(request).await.ok()?.into_inner().feed?;
                (!feed.cursor.contains("\"passed\":0")).then_some(())
            }
        })
        .await;
        process.kill();
    };
    let (ran, ()) = tokio::join!(running, killing);
    assert_eq!(ran.status.code(), Some(1), "{}", text(&ran));
    assert!(
        text(&ran).contains("feed nightly was interrupted"),
        "{}",
        text(&ran)
    );
    // Another instance continues, and no record is missing.
    let ran = feeding.run_as(&options, &file, None).await;
    assert!(
        text(&ran).contains("resumes after record"),
        "{}",
        text(&ran)
    );
    assert_eq!(counts(&ran)[3], 0, "{}", text(&ran));
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran));
    assert_eq!(feeding.used().await, i64::from(COUNT));
    passed(&feeding.run_as(&options, &file, None).await, [0, 0, 0, 0]);
}

/// Runs a tool, which must succeed.
fn tool(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}: {output:?}");
    output.stdout
}

/// A pipe can be read only once; `cat` gives PEM followed by JSON lines.
async fn sl_14_a_pipe_with_both_kinds_of_reports_is_read_whole(backend: Backend) {
    let feeding = Feeding::start(backend).await;
    let pipe = feeding.path("pipe");
    tool("mkfifo", &[&pipe.display().to_string()]);
    let nights = [
        (["a.example", "b.example"], "0c"),
        (["c.example", "d.example"], "0d"),
    ];
    for (names, serial) in nights {
        let file = feeding.write("issued.pem", &names);
        let revocation = format!(
            "{{\"report\":\"revocation\",\"serial\":\"{serial}\",\"reason\":\"keyCompromise\",\
             \"issuer_der\":\"3000\"}}\n"
        );
        let both = fs::read_to_string(&file).unwrap() + &revocation;
        let writing = pipe.clone();
        let writer = std::thread::spawn(move || fs::write(writing, both).unwrap());
        let ran = feeding.run(&["--feed", "nightly"], &[&pipe]).await;
        writer.join().unwrap();
        passed(&ran, [2, 0, 0, 0]);
        let kept = "         1  revocations stored for later";
        assert!(text(&ran).contains(kept), "{}", text(&ran));
    }
    assert_eq!(feeding.used().await, 4);
}

async fn sl_14_bundles_gzip_folders_and_the_standard_input_are_read(backend: Backend) {
    let feeding = Feeding::start(backend).await;
    let folder = feeding.path("issued");
    fs::create_dir_all(folder.join("2026/11")).unwrap();
    let put = |name: &str, bytes: Vec<u8>| fs::write(folder.join(name), bytes).unwrap();
    let source = |name: &str, names: &[&str]| feeding.write(name, names).display().to_string();
    let bundled = source("bundled.pem", &["a.example", "b.example"]);
    let bundle = ["crl2pkcs7", "-nocrl", "-certfile", &bundled];
    put("a.p7b", tool("openssl", &bundle));
    let other = source("other.pem", &["c.example"]);
    let bundle = [
        "crl2pkcs7",
        "-nocrl",
        "-outform",
        "DER",
        "-certfile",
        &other,
    ];
    put("b.p7b", tool("openssl", &bundle));
    let packed = source("packed.pem", &["d.example", "e.example"]);
    put("2026/11/c.pem.gz", tool("gzip", &["-c", &packed]));
    let bundle = folder.join("b.p7b").display().to_string();
    put("2026/11/d.p7b.gz", tool("gzip", &["-c", &bundle]));
    put(".hidden", b"nothing that is read".to_vec());
    passed(&feeding.run(&[], &[&folder]).await, [5, 0, 1, 0]);
    let piped = feeding.write("piped.pem", &["f.example", "g.example"]);
    let owner = [
        "--account",
        &feeding.license.account_id,
        "--product",
        &feeding.license.product_ids[0],
    ];
    for expected in [2, 0] {
        let ran = feeding
            .run_as(&owner, &[Path::new("-")], Some(&piped))
            .await;
        passed(&ran, [expected, 0, 0, 0]);
    }
    // A truncated gzip file is read up to its end, with an error.
    let mut cut_off = tool("gzip", &["-c", &packed]);
    cut_off.truncate(cut_off.len() - 10);
    let path = feeding.path("cut-off.gz");
    fs::write(&path, cut_off).unwrap();
    let ran = feeding.run(&[], &[&path]).await;
    assert_eq!(ran.status.code(), Some(1));
    assert!(
        text(&ran).contains("cannot be read to its end"),
        "{}",
        text(&ran)
    );
    assert_eq!(feeding.used().await, 7);
}
