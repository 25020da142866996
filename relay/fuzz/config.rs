// What must hold for any text in a configuration file. The fuzz target and `tests/config_corpus.rs`
// share this file.

use clinicall_relay::config::Config;

pub type Check = fn(&[u8]);

/// The check of every target by its name.
pub const ALL: [(&str, Check); 1] = [("config", config)];

/// Taken, or refused with a place within the text and a hint.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    for dev in [false, true] {
        match Config::parse("clinicall.toml", text, dev) {
            Ok(config) => {
                assert!(!config.host().is_empty());
                assert!(config.user.iter().all(|user| !user.id.is_empty()));
            }
            Err(problem) => {
                let told = problem.to_string();
                assert!(
                    told.starts_with("clinicall.toml:") && told.contains("hint: "),
                    "{told}"
                );
                let lines = text.split('\n').count() + 1;
                assert!(problem.at.is_none_or(|(line, _)| line <= lines), "{told}");
            }
        }
    }
}
