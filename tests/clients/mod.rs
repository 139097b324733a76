//! Third-party clients, which know the contract only by reflection, against the embedded suite: Python's
//! grpcio, and the commands of README and book, word for word, with `buf curl` in place of grpcurl.

mod corpus;

use std::{
    path::PathBuf,
    process::{Command, Output},
    time::Duration,
};

use crate::harness::{eventually, process::SuiteProcess, run, run_within};

/// A tool that `tests/run` installs and names in the environment.
fn tool(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run tests/run, which installs the tool and sets it")
    })
}

/// The output of a client that must succeed.
fn output(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let stdout = String::from_utf8(stdout).unwrap();
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(
        status.success(),
        "{command:?}: {status}\n{stdout}\n{stderr}"
    );
    stdout
}

#[test]
fn pythons_grpcio_walks_through_an_order() {
    let python = tool("LICET_TEST_PYTHON");
    run(async {
        let suite = SuiteProcess::start().await;
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/walk.py");
        let printed = output(
            Command::new(python)
                .arg(script)
                .args([&suite.orders_address(), &suite.starter_account()])
                .arg(suite.folder().join("certificate.pem")),
        );
        let lines: Vec<_> = printed.lines().collect();
        assert!(lines.contains(&"charged 24.50 USD"), "{printed}");
        assert!(lines.contains(&"refused INVALID_ARGUMENT"), "{printed}");
        assert!(
            printed.contains("49.00"),
            "the lines explain the amount: {printed}"
        );
    });
}

/// The contract's comment suffices to check a chain; none of our code computes the bytes here.
#[test]
fn pythons_grpcio_holds_every_log_against_its_chain() {
    let python = tool("LICET_TEST_PYTHON");
    run(async {
        let suite = SuiteProcess::start().await;
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/chain.py");
        let walk = |address: &str| output(Command::new(&python).arg(script).arg(address));
        let address = suite.billing_address();
        // Events get their positions shortly after the change; the starter's three products come first.
        eventually("the starter's events have positions", || async {
            let printed = walk(&address);
            let (count, hash) = printed.trim().split_once(' ').unwrap();
            assert_eq!(hash.len(), 64, "{printed}");
            (count.parse::<u32>().unwrap() >= 8).then_some(())
        })
        .await;
    });
}

/// Command blocks of README and book that this test skips, by their first words, and why.
const NOT_RUN: [(&str, &str); 1] = [(
    "cargo run --release ",
    "builds the project and runs all of its tests, this one among them",
)];

/// The README and the pages that continue in its shell, in reading order.
const READ: [&str; 3] = [
    include_str!("../../README.md"),
    include_str!("../../shared/docs/src/ca-integrator.md"),
    include_str!("../../shared/docs/src/operator.md"),
];

/// The blocks of commands on these pages.
fn written_blocks() -> Vec<String> {
    let mut blocks = Vec::new();
    let mut skipped = Vec::new();
    // Every second part is a fenced block.
    let fenced = READ
        .iter()
        .flat_map(|page| page.split("\n```").skip(1).step_by(2));
    for fenced in fenced {
        let (language, block) = fenced.split_once('\n').unwrap();
        assert!(
            ["sh", "json", ""].contains(&language),
            "a block of {language:?}: mark commands as sh"
        );
        if language != "sh" {
            continue;
        }
        match NOT_RUN.iter().find(|(begin, _)| block.starts_with(begin)) {
            Some((begin, _)) => skipped.push(*begin),
            None => blocks.push(block.to_owned()),
        }
    }
    assert_eq!(skipped, NOT_RUN.map(|(begin, _)| begin));
    blocks
}

/// Calls `buf curl` with grpcurl's arguments and prints the response in grpcurl's layout. Notes failures,
/// which a pipe would hide.
const SHIM: &str = r#"
grpcurl() {
    [ "$1" = "-plaintext" ] || { echo "unexpected: $*" >&2; return 1; }
    shift
    BODY='{}'
    if [ "$1" = "-d" ]; then BODY=$2; shift 2; fi
    "$BUF" curl --protocol grpc --http2-prior-knowledge -d "$BODY" "http://$1/$2" >"$ANSWER" ||
        { echo "$2" >>"$FAILED"; return 1; }
    "$PYTHON" -m json.tool "$ANSWER"
}
"#;

/// Separates the outputs of two blocks.
const MARK: &str = "==== the next block ====";

/// A shell beside a suite, in a new folder, with the commands `licet` and grpcurl.
struct Reader<'a> {
    suite: &'a SuiteProcess,
    folder: PathBuf,
}

impl<'a> Reader<'a> {
    fn of(suite: &'a SuiteProcess) -> Self {
        let folder = suite.folder().join("reader");
        std::fs::create_dir_all(folder.join("bin")).unwrap();
        let licet = env!("CARGO_BIN_EXE_licet-process");
        std::os::unix::fs::symlink(licet, folder.join("bin/licet")).unwrap();
        Self { suite, folder }
    }

    /// The output of each block; all of them must succeed.
    fn run(&self, blocks: &[String]) -> Vec<String> {
        let [orders, billing, san_licensing] = self.suite.addresses();
        let script = blocks.join(&format!("\necho '{MARK}'\n"));
        let script = script
            .replace("127.0.0.1:50051", &orders)
            .replace("127.0.0.1:50052", &billing)
            .replace("127.0.0.1:50053", &san_licensing);
        let path = std::env::var("PATH").unwrap();
        let bin = self.folder.join("bin");
        let failed = self.folder.join("failed");
        let printed = output(
            Command::new("bash")
                .args(["-c", &format!("set -eu\n{SHIM}\n{script}")])
                .current_dir(&self.folder)
                .env("PATH", format!("{}:{path}", bin.display()))
                .env("ACCOUNT", self.suite.starter_account())
                .env("ANSWER", self.folder.join("answer"))
                .env("FAILED", &failed)
                .env("BUF", tool("LICET_TEST_BUF"))
                .env("PYTHON", tool("LICET_TEST_PYTHON"))
                .env("LICET_DATA", self.suite.data())
                .env("LICET_BILLING_URL", format!("http://{billing}"))
                .env("LICET_SAN_LICENSING_URL", format!("http://{san_licensing}")),
        );
        assert!(!failed.exists(), "{printed}");
        printed.split(MARK).map(str::to_owned).collect()
    }
}

#[test]
fn the_readmes_commands_come_true_twice_and_a_year_later() {
    // Runs about ninety programs, one after the other, on a machine that may be busy.
    run_within(Duration::from_secs(900), async {
        let suite = SuiteProcess::start().await;
        let reader = Reader::of(&suite);
        let year = "grpcurl -plaintext -d '{\"months\": 12, \"request_id\": \"'$(cat \
            /proc/sys/kernel/random/uuid)'\"}' 127.0.0.1:50051 licet.clock.v1.ClockService/AdvanceTime";
        for round in ["first", "again", "a year later"] {
            if round == "a year later" {
                reader.run(&[year.to_owned()]);
            }
            let printed = reader.run(&written_blocks());
            let [walk, offer, issuance, nightly, terminal] = printed.as_slice() else {
                panic!("{} blocks", printed.len());
            };
            // After the advance, only the change's response is printed.
            let (_, change) = walk.split_once("previousTime").expect("time advanced");
            assert!(change.contains("\"value\": \"24.50\""), "{round}: {walk}");
            assert!(change.contains("api.example.com"), "{round}: {walk}");
            assert!(offer.contains("LICENSE_STATE_ACTIVE"), "{round}: {offer}");
            assert!(issuance.contains("\"used\": \"6\""), "{round}: {issuance}");
            assert!(
                issuance.contains("CERTIFICATE_STATE_REVOKED"),
                "{round}: {issuance}"
            );
            for line in [
                "         1  recorded in a licence",
                "         1  revoked",
                "         0  refused",
            ] {
                assert!(nightly.contains(line), "{round}: {nightly}");
            }
            assert!(terminal.contains("no differences"), "{round}: {terminal}");
            for page in ["invoice.html", "statement.html"] {
                let page = std::fs::read_to_string(reader.folder.join(page)).unwrap();
                assert!(page.contains("</html>"), "{round}: {page}");
            }
        }
    });
}
