//! One of the three services of owners and users, and who may use it.

use crate::{Refusal, json, line};
use clap::{Args, Subcommand, ValueEnum};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use trefoil_serve::{
    Access, Name, Place, Purpose, ServeError, Station, StationFile, write_stations,
};

/// Options of the command that serves owners and users.
#[derive(Debug, Args)]
pub struct ServeArguments {
    /// The party's configuration, as `trefoil-party setup` writes it
    #[arg(value_name = "CONFIG.toml")]
    config: PathBuf,
    /// Read and check the configuration, the keys and the access file, and end
    #[arg(long)]
    check_config: bool,
    /// Seconds that a stopped party waits for what it has taken on
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    drain: u64,
}

/// Serve until SIGTERM or SIGINT, which let everything that was taken come to its end; SIGHUP reads the access file again.
///
/// # Errors
/// If the configuration does not fit, keys or the store cannot be read, or an address cannot be listened on.
pub fn serve(arguments: &ServeArguments, as_json: bool) -> Result<(), Refusal> {
    let file = load(&arguments.config)?;
    let role = file.role();
    if arguments.check_config {
        let access = Access::load(&file.access_path()).map_err(Refusal::new)?;
        file.check()
            .map_err(|error| Refusal::of_start(error, role))?;
        let (shown, tokens) = (arguments.config.display(), access.tokens().len());
        return line(&format!(
            "{shown}: {role}, {tokens} tokens: nothing is wrong"
        ));
    }
    // Before anything that a signal should end well.
    let failed = |error: std::io::Error| Refusal::new(format!("cannot heed signals: {error}"));
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(failed)?;
    let note = move |text: &str| tell(text, role.index(), as_json);
    let station = Station::start(&file, note).map_err(|error| Refusal::of_start(error, role))?;
    for signal in &mut signals {
        if signal == SIGHUP {
            if let Err(error) = station.reread_access() {
                tell(
                    &format!("ALARM: {error}: who may connect is as before"),
                    role.index(),
                    as_json,
                );
            }
            continue;
        }
        let all = station.drain(Duration::from_secs(arguments.drain));
        let how = if all {
            "everything taken has ended"
        } else {
            "what still ran is given up"
        };
        tell(
            &format!("stopped by a signal: {how}"),
            role.index(),
            as_json,
        );
        break;
    }
    drop(station);
    Ok(())
}

fn load(path: &Path) -> Result<StationFile, Refusal> {
    crate::service::regular(path)?;
    StationFile::load(path).map_err(|error| {
        Refusal::new(error).help("make configuration files with: trefoil-party setup")
    })
}

/// A party goes on when nobody listens to what it tells.
fn tell(text: &str, role: usize, as_json: bool) {
    let time = crate::service::now();
    if as_json {
        let event = if text.starts_with("ALARM") {
            "alarm"
        } else {
            "note"
        };
        let _ = json(
            &serde_json::json!({ "time": time, "party": role, "event": event, "message": text }),
        );
    } else {
        let _ = writeln!(stderr(), "{time} party {role}: {text}");
    }
}

/// Options of the command that says who may use a party.
#[derive(Debug, Args)]
pub struct AccessArguments {
    /// What to do.
    #[command(subcommand)]
    command: AccessCommand,
}

/// What is done to a party's access file. A running party reads it again on SIGHUP.
#[derive(Debug, Subcommand)]
enum AccessCommand {
    /// Issue a token, and show it once
    New {
        /// The party's configuration
        #[arg(long, value_name = "CONFIG.toml")]
        config: PathBuf,
        /// Whose token it is: the same name at all three parties
        #[arg(long)]
        holder: Name,
        /// What it is for
        #[arg(long, value_enum)]
        purpose: For,
    },
    /// Show who has tokens
    List {
        /// The party's configuration
        #[arg(long, value_name = "CONFIG.toml")]
        config: PathBuf,
    },
    /// Take a token back
    Revoke {
        /// The party's configuration
        #[arg(long, value_name = "CONFIG.toml")]
        config: PathBuf,
        /// The token's id, as `list` shows it
        id: String,
    },
}

/// What a token is for.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum For {
    /// Push models and grant them
    Owner,
    /// Ask granted models
    User,
}

/// Issue, show or take back tokens.
///
/// # Errors
/// If the configuration or the access file cannot be read or written, or there is no such token.
pub fn access(arguments: &AccessArguments, as_json: bool) -> Result<(), Refusal> {
    let open = |config: &Path| {
        let path = load(config)?.access_path();
        let access = Access::load(&path).map_err(Refusal::new)?;
        Ok::<_, Refusal>((path, access))
    };
    match &arguments.command {
        AccessCommand::New {
            config,
            holder,
            purpose,
        } => {
            let (path, mut access) = open(config)?;
            let purpose = match purpose {
                For::Owner => Purpose::Owner,
                For::User => Purpose::User,
            };
            let (token, secret) = access
                .issue(holder.clone(), purpose)
                .map_err(Refusal::new)?;
            access.save(&path).map_err(Refusal::new)?;
            if as_json {
                return json(
                    &serde_json::json!({ "id": token.id, "holder": holder, "token": secret }),
                );
            }
            line(&secret)
        }
        AccessCommand::List { config } => {
            let (_, access) = open(config)?;
            let purpose = |purpose| match purpose {
                Purpose::Owner => "owner",
                Purpose::User => "user",
            };
            if as_json {
                let tokens = access.tokens().iter().map(|token| {
                    serde_json::json!({ "id": token.id, "holder": token.holder, "purpose": purpose(token.purpose) })
                });
                return json(&tokens.collect::<Vec<_>>());
            }
            for token in access.tokens() {
                line(&format!(
                    "{}  {:<5}  {}",
                    token.id,
                    purpose(token.purpose),
                    token.holder
                ))?;
            }
            Ok(())
        }
        AccessCommand::Revoke { config, id } => {
            let (path, mut access) = open(config)?;
            let token = access.revoke(id).map_err(Refusal::new)?;
            access.save(&path).map_err(Refusal::new)?;
            line(&format!(
                "{} of {} is revoked; a running party knows it after SIGHUP",
                token.id, token.holder
            ))
        }
    }
}

/// Options of the command that makes files to begin with.
#[derive(Debug, Args)]
pub struct SetupArguments {
    /// Folder to write to; made if it is missing, and files in it are never overwritten
    #[arg(
        short,
        long,
        alias = "out",
        value_name = "FOLDER",
        default_value = "parties"
    )]
    output: PathBuf,
    /// The hosts of parties 0, 1 and 2 [default: three times 127.0.0.1, on different ports]
    #[arg(long, value_name = "HOST", num_args = 3)]
    hosts: Option<Vec<String>>,
}

/// Ports of the links between parties, of owners and users, and of the operator.
const PORTS: [u16; 3] = [7710, 8710, 9710];

/// Write identities and configuration files for three parties that serve owners and users.
///
/// # Errors
/// If addresses do not make sense, or files are there already or cannot be written.
pub fn setup(arguments: &SetupArguments, as_json: bool) -> Result<(), Refusal> {
    let places = [0_u16, 1, 2].map(|index| {
        // On one machine the ports must differ.
        let (host, step) = match &arguments.hosts {
            Some(hosts) => (hosts[usize::from(index)].as_str(), 0),
            None => ("127.0.0.1", index),
        };
        let [links, https, admin] = PORTS.map(|port| port + step);
        Place {
            links: format!("{host}:{links}"),
            https: format!("{host}:{https}"),
            admin: format!("127.0.0.1:{admin}"),
        }
    });
    let made = write_stations(&arguments.output, &places).map_err(|error| match error {
        ServeError::Address(_) => Refusal::misuse(error),
        error => {
            Refusal::new(error).help("choose another folder with --output, or remove the old files")
        }
    })?;
    if as_json {
        let paths = made.configs.iter().chain([&made.contacts]);
        return json(&serde_json::json!({
            "files": paths.map(|path| path.display().to_string()).collect::<Vec<_>>(),
            "pins": made.pins,
        }));
    }
    for (index, (config, pin)) in made.configs.iter().zip(made.pins).enumerate() {
        line(&format!("party{index}  {pin}  {}", config.display()))?;
    }
    line(&format!(
        "\nMove party0.key to the first machine and delete it elsewhere; likewise party1.key and party2.key.\n\
         On each machine, with its certificate and key beside its file:\n  \
         trefoil-party access new --config serve0.toml --holder NAME --purpose owner\n  \
         trefoil-party serve serve0.toml\n\
         Owners and users fill their tokens in a copy of {}",
        made.contacts.display()
    ))
}
