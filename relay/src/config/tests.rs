use super::*;

/// The smallest file a real relay needs.
const SMALL: &str = r#"domains = ["visits.example"]

[media]
public = ["203.0.113.7"]

[[user]]
id = "2"
name = "Doctor Ivanova"
password = "spring in Vologda"
"#;

fn problem(text: &str) -> Problem {
    Config::parse("clinicall.toml", text, false).unwrap_err()
}

#[test]
fn a_small_file_is_enough() {
    let config = Config::parse("clinicall.toml", SMALL, false).unwrap();
    assert_eq!(config.realm(), "visits.example");
    assert_eq!(config.media_port(), 8443);
    assert_eq!(config.user[0].name, "Doctor Ivanova");
}

#[test]
fn the_template_parses_to_the_defaults() {
    let config: Config = toml::from_str(&template()).unwrap();
    assert_eq!(config, Config::default());
}

#[test]
fn every_key_stands_in_the_template_and_its_example_parses() {
    let page = template();
    for key in [
        Config::KEYS,
        Http::KEYS,
        Media::KEYS,
        Calls::KEYS,
        Limits::KEYS,
        Store::KEYS,
        Login::KEYS,
        CometQl::KEYS,
        Issuer::KEYS,
        ApiKey::KEYS,
        Log::KEYS,
        User::KEYS,
    ]
    .concat_names()
    {
        let (plain, commented) = (format!("\n{key} = "), format!("\n# {key} = "));
        let section = format!("[{key}]");
        assert!(
            page.contains(&plain) || page.contains(&commented) || page.contains(&section),
            "{key} is not in the template"
        );
    }
    let uncommented: String = page
        .lines()
        .filter_map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.starts_with('[') => Some(rest),
            Some(rest)
                if rest
                    .split_once(" = ")
                    .is_some_and(|(key, _)| !key.contains(' ')) =>
            {
                Some(rest)
            }
            Some(_) => None,
            None => Some(line),
        })
        .map(|line| format!("{line}\n"))
        .collect();
    let config = Config::parse("clinicall.toml", &uncommented, false).unwrap();
    assert_eq!(config.user.len(), 1);
    assert_eq!(config.media.port, Some(8443));
}

trait ConcatNames {
    fn concat_names(&self) -> Vec<&'static str>;
}
impl<const N: usize> ConcatNames for [&[Key]; N] {
    fn concat_names(&self) -> Vec<&'static str> {
        self.iter()
            .flat_map(|keys| keys.iter().map(|key| key.name))
            .collect()
    }
}

#[test]
fn a_misspelt_key_is_named_with_its_line_and_the_right_one() {
    let text = SMALL.replace("[media]", "[media]\nworkerz = 2");
    insta::assert_snapshot!(problem(&text), @r"
    clinicall.toml:4:1: unknown field `workerz`, expected one of `bind`, `port`, `public`, `udp`, `tcp`, `workers`
        4 | workerz = 2
          | ^
    hint: did you mean `workers`? `clinicall default-config` prints every key
    ");
}

#[test]
fn a_wrong_value_is_named_with_its_line() {
    let text = SMALL.replace("203.0.113.7", "0.0.0.0");
    insta::assert_snapshot!(problem(&text), @r#"
    clinicall.toml:4:1: `media.public` has 0.0.0.0, which nobody can reach
        4 | public = ["0.0.0.0"]
          | ^
    hint: write the machine's own address
    "#);
}

#[test]
fn a_relay_without_users_domain_or_address_is_told_what_to_write() {
    assert!(
        problem("")
            .to_string()
            .contains("domains = [\"visits.example\"]")
    );
    let text = "domains = [\"a.example\"]";
    assert!(
        problem(text)
            .to_string()
            .contains("public = [\"203.0.113.7\"]")
    );
    let text = "domains = [\"a.example\"]\n[media]\npublic = [\"203.0.113.7\"]";
    assert!(problem(text).to_string().contains("[[user]]"));
}

#[test]
fn demo_users_and_their_passwords_exist_with_dev_alone() {
    let text = format!("{SMALL}demo = true\n");
    assert_eq!(problem(&text).at, Some((10, 1)));
    let text = SMALL.replace("spring in Vologda", "demo-doctor");
    assert!(problem(&text).to_string().contains("demo password"));
    assert!(Config::dev().user.iter().all(|user| user.demo));
    assert!(Config::dev().check(true).is_ok());
}

#[test]
fn no_problem_shows_a_password() {
    let text = SMALL.replace("password = ", "ha1_md5 = ");
    let shown = problem(&text).to_string();
    assert!(
        shown.contains("32 hexadecimal digits") && !shown.contains("Vologda"),
        "{shown}"
    );
    let shown = format!(
        "{:?}",
        Config::parse("clinicall.toml", SMALL, false).unwrap()
    );
    assert!(!shown.contains("Vologda"), "{shown}");
}

#[test]
fn dev_refuses_to_be_seen_by_others() {
    let text = "[http]\nlisten = \"192.0.2.1:8443\"";
    let problem = Config::parse("dev.toml", text, true).unwrap_err();
    assert_eq!(problem.at, Some((2, 1)));
}

#[test]
fn what_people_get_wrong_about_logins_is_told() {
    let told = |section: &str, hint: &str| {
        let problem = problem(&format!("{SMALL}\n{section}\n")).to_string();
        assert!(problem.contains(hint), "{problem}");
        assert!(
            !problem.contains("hunter2"),
            "a secret is printed: {problem}"
        );
    };
    told("[[issuer]]\nsecret = \"hunter2\"", "openssl rand");
    told(
        "[[issuer]]\nname = \"https://a.example\"",
        "give a `secret`",
    );
    told("[[issuer]]\nname = \"clinicall\"", "the relay's own");
    let same = "[[issuer]]\njwks = \"a.json\"\n";
    told(&format!("{same}{same}"), "told apart by their `iss`");
    told(
        "[[api_key]]\nname = \"site\"\nsha256 = \"hunter2\"",
        "clinicall api-key",
    );
    let hash = "0".repeat(64);
    let key = format!("[[api_key]]\nname = \"site\"\nsha256 = \"{hash}\"\n");
    told(&format!("{key}rights = [\"root\"]"), "`users`, `tokens`");
    told(&format!("{key}demo = true"), "for `--dev` alone");
    told("[login]\nwebhook = \"clinic.example\"", "write it in full");
    told("[login]\nwebhook_secret = \"hunter2\"", "16 bytes");
    Config::parse("clinicall.toml", &format!("{SMALL}\n{key}"), false).unwrap();
}

#[test]
fn cometql_opens_with_a_password_of_ones_own_only() {
    let config = Config::parse("clinicall.toml", SMALL, false).unwrap();
    assert_eq!(config.cometql.listen, None);
    let listen = "\n[cometql]\nlisten = \"127.0.0.1:3307\"\n";
    assert!(
        problem(&format!("{SMALL}{listen}"))
            .to_string()
            .contains("cometql.password")
    );
    let demo = format!("{SMALL}{listen}password = \"demo-clinic\"\n");
    assert!(problem(&demo).to_string().contains("demo password"));
    let own = format!("{SMALL}{listen}password = \"CometQLPassword1\"\n");
    assert!(Config::parse("clinicall.toml", &own, false).is_ok());
    let dev = Config::dev();
    assert!(dev.cometql.listen.unwrap().ip().is_loopback());
}
