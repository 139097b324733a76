//! Clients that are not ours, through reflection alone, against the embedded suite as it is started:
//! Python's grpcio, and the README's own walk word for word with `buf curl` in the place of grpcurl.

use std::process::{Command, Output};

use crate::harness::{process::SuiteProcess, run};

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

/// The commands of the README's walk, as they stand there.
fn readme_walk() -> String {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let (_, walk) = readme
        .split_once("\n## A walk")
        .expect("the README has a walk");
    let (_, block) = walk.split_once("\n```sh\n").expect("the walk has commands");
    let (block, _) = block.split_once("\n```\n").expect("the commands end");
    assert_eq!(
        block.matches("grpcurl -plaintext").count(),
        5,
        "the walk has five calls"
    );
    block.to_owned()
}

/// Takes grpcurl's arguments and asks with `buf curl`, answering in grpcurl's many lines.
const SHIM: &str = r#"
grpcurl() {
    [ "$1 $2" = "-plaintext -d" ] || { echo "unexpected: $*" >&2; return 1; }
    "$BUF" curl --protocol grpc --http2-prior-knowledge -d "$3" "http://$4/$5" >answer || return 1
    "$PYTHON" -m json.tool answer
}
"#;

#[test]
fn the_readmes_walk_comes_true_with_buf_curl() {
    let (buf, python) = (tool("LICET_TEST_BUF"), tool("LICET_TEST_PYTHON"));
    run(async {
        let suite = SuiteProcess::start().await;
        let walk = readme_walk().replace("127.0.0.1:50051", &suite.orders_address());
        let printed = output(
            Command::new("bash")
                .args(["-c", &format!("set -eu\n{SHIM}\n{walk}")])
                .current_dir(suite.folder())
                .env("ACCOUNT", suite.starter_account())
                .env("BUF", buf)
                .env("PYTHON", python),
        );
        // The last call's answer is all of the output that goes nowhere else after the advance.
        let (_, change) = printed.split_once("previousTime").expect("time advanced");
        assert!(change.contains("\"value\": \"24.50\""), "{printed}");
        assert!(change.contains("api.example.com"), "{printed}");
    });
}
