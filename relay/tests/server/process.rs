//! The binary.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
};

pub fn clinicall() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clinicall"));
    command
        .env_remove("CLINICALL_CONFIG")
        .env_remove("CLINICALL_LISTEN");
    command
}

#[test]
fn it_says_where_it_listens_and_ends_on_sigterm() {
    let mut relay = clinicall()
        .args(["run", "--dev", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(relay.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line
        .strip_prefix("listening http=")
        .and_then(|rest| rest.split(' ').next())
        .and_then(|address| address.parse::<std::net::SocketAddr>().ok());
    let address = address.unwrap_or_else(|| panic!("{line}"));
    assert!(std::net::TcpStream::connect(address).is_ok());
    let kill = Command::new("kill")
        .arg(relay.id().to_string())
        .status()
        .unwrap();
    assert!(kill.success());
    assert!(relay.wait().unwrap().success());
}

#[test]
fn a_relay_without_a_configuration_says_what_to_do() {
    let output = clinicall().arg("run").output().unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("clinicall default-config > clinicall.toml"),
        "{error}"
    );
}

#[test]
fn check_config_names_the_line() {
    let template = clinicall().arg("default-config").output().unwrap().stdout;
    let path = std::env::temp_dir().join(format!("clinicall-{}.toml", std::process::id()));
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(&template).unwrap();
    writeln!(file, "[telephone]\nnumber = 1").unwrap();
    let output = clinicall().arg("check-config").arg(&path).output().unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8(output.stderr).unwrap();
    let line = template.iter().filter(|byte| **byte == b'\n').count() + 1;
    assert!(
        error.contains(&format!(".toml:{line}:2: unknown field `telephone`")),
        "{error}"
    );
}
