//! The MySQL clients people have, against the CometQL port. Each script checks what it gets and ends
//! with an error where it got something else.

use anyhow::{Result, ensure};
use clinicall_tests::{
    clinic::{Clinic, Plan, scratch},
    repo::{self, command, run_quietly},
    tools::setup,
};

use super::{COMETQL_PASSWORD, open_clinic, with_cometql};

/// Host and port as two words.
fn place(clinic: &Clinic) -> (&str, &str) {
    clinic.cometql().rsplit_once(':').unwrap_or_default()
}

pub fn mariadb(clinic: &Clinic, options: &[&str], statement: &str) -> Result<String> {
    let (host, port) = place(clinic);
    run_quietly(
        command("mariadb")
            .args([
                "--no-defaults",
                "--skip-ssl",
                "--batch",
                "-uroot",
                "-DCometQL_v1",
            ])
            .args([&format!("-h{host}"), &format!("-P{port}")])
            .arg(format!("-p{COMETQL_PASSWORD}"))
            .args(options)
            .args(["-e", statement]),
    )
}

#[test]
fn the_mariadb_client_does_what_the_manual_says() -> Result<()> {
    let clinic = open_clinic()?;
    mariadb(
        &clinic,
        &[],
        r#"INSERT INTO conference (name, user_id, caller_id, message, profile) VALUES('1', 2, 3, "json", "video");"#,
    )?;
    let rows = mariadb(&clinic, &[], "SELECT * FROM conference WHERE name = '1'")?;
    ensure!(
        rows == "name\tuser_id\tcaller_id\tmessage\tprofile\tstream\tnode\n1\t2\t3\tjson\tvideo\t0\t\n",
        "{rows}"
    );
    mariadb(
        &clinic,
        &[],
        "DELETE FROM conference WHERE name = '1' AND user_id = 2",
    )?;
    let rows = mariadb(
        &clinic,
        &[],
        "SELECT COUNT(*) FROM conference WHERE name = '1'",
    )?;
    ensure!(rows == "COUNT(*)\n0\n", "{rows}");
    // completion of names asks for every table's columns
    let tables = mariadb(
        &clinic,
        &["--auto-rehash"],
        "USE db_15; SHOW TABLES LIKE 'users%'",
    )?;
    ensure!(tables.lines().count() == 6, "{tables}");
    // one message of a pipe
    mariadb(
        &clinic,
        &[],
        "INSERT INTO pipes_settings (name, length) VALUES ('web_ward', 9)",
    )?;
    mariadb(
        &clinic,
        &[],
        "INSERT INTO pipes_messages (name, event, message) \
         VALUES ('web_ward', 'a', '1'), ('web_ward', 'b', '2')",
    )?;
    mariadb(
        &clinic,
        &[],
        "DELETE FROM pipes_messages WHERE name = 'web_ward' AND id = 1",
    )?;
    let rows = mariadb(
        &clinic,
        &[],
        "SELECT id, event FROM pipes_messages WHERE name = 'web_ward'",
    )?;
    ensure!(rows == "id\tevent\n2\tb\n", "{rows}");
    let sha256 = ["--default-auth=caching_sha2_password"];
    let version = mariadb(&clinic, &sha256, "SELECT VERSION()")?;
    ensure!(version.contains("clinicall"), "{version}");
    let refused = mariadb(&clinic, &["-pwrong"], "SELECT 1").map_err(|error| format!("{error:#}"));
    ensure!(
        refused
            .as_ref()
            .is_err_and(|told| told.contains("ERROR 16")),
        "{refused:?}"
    );
    Ok(())
}

fn script(clinic: &Clinic, program: &str, file: &str) -> Result<()> {
    let (host, port) = place(clinic);
    let script = repo::path(file);
    run_quietly(
        command(program)
            .arg(script)
            .args([host, port, COMETQL_PASSWORD]),
    )?;
    Ok(())
}

/// Clients that believe one certificate and no other, each with both methods to log in.
#[test]
fn clients_speak_tls_and_know_the_relay_by_its_certificate() -> Result<()> {
    let folder = scratch("sql-tls")?;
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.join(name));
    run_quietly(
        command("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"])
            .args(["-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=sql"])
            .args(["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&cert),
    )?;
    let pages = repo::path("tests/pages");
    let mut plan = Plan::new(&pages, &["doctor"]);
    plan.more = with_cometql() + &format!("cert = {cert:?}\nkey = {key:?}\n");
    let clinic = Clinic::open(&plan)?;
    let (host, port) = place(&clinic);
    for method in ["mysql_native_password", "caching_sha2_password"] {
        let told = run_quietly(
            command("mariadb")
                .args(["--no-defaults", "--batch", "-uroot", "-DCometQL_v1"])
                .args([&format!("-h{host}"), &format!("-P{port}")])
                .arg(format!("-p{COMETQL_PASSWORD}"))
                .arg(format!("--default-auth={method}"))
                .arg(format!("--ssl-ca={}", cert.display()))
                .args(["--ssl-verify-server-cert", "-e", "SELECT VERSION()"]),
        )?;
        ensure!(told.contains("clinicall"), "{method}: {told}");
    }
    let ca = cert.to_string_lossy();
    for (program, file) in [
        (setup::PYTHON, "tests/clients/tls.py"),
        ("node", "tests/js/tls.mjs"),
    ] {
        let mut client = command(program);
        client.arg(repo::path(file));
        run_quietly(client.args([host, port, COMETQL_PASSWORD, &ca]))?;
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

#[test]
fn a_site_in_php() -> Result<()> {
    let clinic = open_clinic()?;
    script(&clinic, "php", "tests/clients/cometql.php")
}

#[test]
fn a_site_in_python() -> Result<()> {
    let clinic = open_clinic()?;
    script(&clinic, setup::PYTHON, "tests/clients/cometql.py")
}

/// `clinicall/comet`, with sockets that break.
#[test]
fn pages_without_a_phone() -> Result<()> {
    let clinic = open_clinic()?;
    let story = repo::path("tests/js/comet.mjs");
    let places = [clinic.http(), clinic.cometql(), COMETQL_PASSWORD];
    run_quietly(command("node").arg(story).args(places))?;
    Ok(())
}

/// The last part of it has a hundred connections at once.
#[test]
fn a_site_in_node() -> Result<()> {
    let clinic = open_clinic()?;
    script(&clinic, "node", "tests/js/cometql.mjs")
}
