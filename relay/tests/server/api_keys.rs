//! A clinic makes keys for its back ends, and takes them back.

use serde_json::{Value, json};

use super::{
    api::{ask, get, site},
    phone::relay,
    process::clinicall,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_lab_gets_a_key_of_its_own_and_loses_it_again() {
    let server = relay().await;
    let made = site(
        &server,
        "PUT",
        "/api-keys/lab",
        json!({ "rights": ["rooms"] }),
    )
    .await;
    assert_eq!(made.status, 201, "{}", made.body);
    let key = made.body["key"].as_str().unwrap();
    let lab = format!("authorization: Bearer {key}\r\n");
    assert_eq!(ask(&server, "GET", "/rooms", &lab, "").await.status, 200);
    ask(&server, "GET", "/calls", &lab, "")
        .await
        .problem(403, "forbidden");
    // it makes no others
    ask(&server, "PUT", "/api-keys/mine", &lab, "{}")
        .await
        .problem(403, "forbidden");

    let listed = get(&server, "/api-keys").await.body;
    assert_eq!(listed[0]["configured"], true, "{listed}");
    assert_eq!(listed[1]["name"], "lab");
    assert_eq!(listed[1]["rights"], json!(["rooms"]));
    assert!(!listed.to_string().contains(key), "a key is shown once");

    let gone = site(&server, "DELETE", "/api-keys/lab", Value::Null).await;
    assert_eq!(gone.status, 204);
    ask(&server, "GET", "/rooms", &lab, "")
        .await
        .problem(401, "unauthorized");
    site(&server, "DELETE", "/api-keys/lab", Value::Null)
        .await
        .problem(404, "not_found");
    // the demo's own stands in its configuration
    let own = listed[0]["name"].as_str().unwrap();
    site(&server, "DELETE", &format!("/api-keys/{own}"), Value::Null)
        .await
        .problem(409, "conflict");
    server.stop().await;
}

#[test]
fn the_operator_does_the_same_on_the_command_line() {
    let folder = std::env::temp_dir().join(format!("clinicall-keys-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let config = folder.join("clinicall.toml");
    let store = folder.join("clinicall.redb");
    let text = format!(
        "domains = [\"clinic.example\"]\n[media]\npublic = [\"203.0.113.7\"]\n\
         [store]\npath = {store:?}\n"
    );
    std::fs::write(&config, text).unwrap();
    let run = |words: &[&str]| {
        let mut command = clinicall();
        command.arg("api-key").args(words);
        command.arg("--config").arg(&config).output().unwrap()
    };
    let told = |words: &[&str]| {
        let output = run(words);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    };
    let key = told(&["put", "site", "--right", "rooms", "--right", "keys"]);
    assert!(key.starts_with("ck_") && key.trim().len() == 67, "{key}");
    assert_eq!(told(&["list"]), "site\trooms,keys\tstore\n");
    let refused = run(&["revoke", "site"]);
    let errors = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && errors.contains("--force"),
        "{errors}"
    );
    told(&["revoke", "site", "--force"]);
    assert_eq!(told(&["list"]), "");
    // a name alone still prints a section
    assert!(told(&["site"]).contains("[[api_key]]\nname = \"site\"\n"));
    std::fs::remove_dir_all(&folder).unwrap();
}
