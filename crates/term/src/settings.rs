//! Defaults of a user: a file, and variables of the environment that go before it.

use crate::Failure;
use serde::Deserialize;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// What a user may set once for all commands.
///
/// The file is the one that `TREFOIL_CONFIG` names, or `trefoil/client.toml` in `$XDG_CONFIG_HOME` or ~/.config. Paths in it are
/// relative to its folder.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The three parties that `--backend secure` asks, as `--parties` names them. `TREFOIL_PARTIES`.
    pub parties: Option<PathBuf>,
    /// The file of an owner or a user of a service. `TREFOIL_SERVICE`.
    pub service: Option<PathBuf>,
    /// How long to wait for a party, in seconds. `TREFOIL_TIMEOUT`.
    pub timeout: Option<f64>,
    /// Where spent public samples are remembered. `TREFOIL_SPENT`.
    pub spent: Option<PathBuf>,
}

impl Settings {
    /// What this user has set.
    ///
    /// # Errors
    /// If the file is there and makes no sense, or a variable does not.
    pub fn load() -> Result<Self, Failure> {
        Self::from(|name| std::env::var_os(name).filter(|value| !value.is_empty()))
    }

    fn from(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, Failure> {
        let named = variable("TREFOIL_CONFIG").map(PathBuf::from);
        let usual = || {
            let home = variable("XDG_CONFIG_HOME")
                .map(PathBuf::from)
                .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".config")))?;
            let file = home.join("trefoil/client.toml");
            file.is_file().then_some(file)
        };
        let file = named.or_else(usual);
        let mut settings = match &file {
            Some(file) => Self::read(file)?,
            None => Self::default(),
        };
        if let Some(parties) = variable("TREFOIL_PARTIES") {
            settings.parties = Some(parties.into());
        }
        if let Some(service) = variable("TREFOIL_SERVICE") {
            settings.service = Some(service.into());
        }
        if let Some(spent) = variable("TREFOIL_SPENT") {
            settings.spent = Some(spent.into());
        }
        if let Some(text) = variable("TREFOIL_TIMEOUT") {
            let seconds = text.to_str().and_then(|text| text.parse().ok());
            settings.timeout = Some(seconds.ok_or_else(|| {
                Failure::misuse(format!(
                    "TREFOIL_TIMEOUT is {}, no number of seconds",
                    text.display()
                ))
            })?);
        }
        if let Some(seconds) = settings.timeout
            && !(seconds > 0.0 && seconds <= 86_400.0)
        {
            return Err(Failure::misuse(format!(
                "the time-out is set to {seconds} s: a number above 0, at most 86400, is expected"
            ))
            .help("mend TREFOIL_TIMEOUT, or `timeout` in the configuration file"));
        }
        Ok(settings)
    }

    fn read(file: &Path) -> Result<Self, Failure> {
        let shown = file.display();
        let text = fs::read_to_string(file).map_err(|error| {
            Failure::new(format!("cannot read {shown}: {error}"))
                .help("name another file in TREFOIL_CONFIG, or unset it")
        })?;
        let mut settings: Self = toml::from_str(&text).map_err(|error| {
            Failure::new(format!("{shown}: {error}"))
                .help("its keys are `parties`, `service`, `timeout` and `spent`")
        })?;
        let folder = file.parent().unwrap_or(Path::new("."));
        let paths = [
            &mut settings.parties,
            &mut settings.service,
            &mut settings.spent,
        ];
        for path in paths.into_iter().flatten() {
            *path = folder.join(&*path);
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_go_before_the_file_and_nonsense_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("client.toml");
        fs::write(&file, "parties = \"p.toml\"\ntimeout = 5\n").unwrap();
        let with = |pairs: &[(&str, &str)]| {
            Settings::from(|name| {
                if name == "TREFOIL_CONFIG" {
                    return Some(file.clone().into_os_string());
                }
                let pair = pairs.iter().find(|(key, _)| *key == name);
                pair.map(|(_, value)| OsString::from(value))
            })
        };
        let plain = with(&[]).unwrap();
        assert_eq!(plain.parties, Some(folder.path().join("p.toml")));
        assert_eq!(plain.timeout, Some(5.0));
        let other = with(&[("TREFOIL_PARTIES", "q.toml"), ("TREFOIL_TIMEOUT", "9")]).unwrap();
        assert_eq!(other.parties, Some(PathBuf::from("q.toml")));
        assert_eq!(other.timeout, Some(9.0));
        for wrong in ["soon", "0", "-1", "inf"] {
            assert!(with(&[("TREFOIL_TIMEOUT", wrong)]).is_err(), "{wrong}");
        }
        fs::write(&file, "partys = \"p.toml\"").unwrap();
        assert!(with(&[]).unwrap_err().to_string().contains("partys"));
    }
}
