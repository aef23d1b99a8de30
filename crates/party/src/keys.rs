//! Identities and configuration files for three machines and a client.

use crate::{Refusal, json, line};
use clap::Args;
use std::path::PathBuf;
use trefoil_serve::{ServeError, write_keys_listening};

/// Addresses if none are given: three ports of this machine.
const LOCAL: [&str; 3] = ["127.0.0.1:7700", "127.0.0.1:7701", "127.0.0.1:7702"];

/// Options of the command that makes keys.
#[derive(Debug, Args)]
pub struct Keys {
    /// Folder to write to; made if it is missing, and files in it are never overwritten
    #[arg(
        short,
        long,
        alias = "out",
        value_name = "FOLDER",
        default_value = "keys"
    )]
    output: PathBuf,
    /// Where a party is reached; give it three times, for parties 0, 1 and 2 [default: 127.0.0.1:7700
    /// to 127.0.0.1:7702]
    #[arg(long, value_name = "HOST:PORT")]
    address: Vec<String>,
    /// Where a party listens, if that is not where it is reached, such as 0.0.0.0:7700 in a container; give it
    /// once for all or three times
    #[arg(long, value_name = "HOST:PORT")]
    listen: Vec<String>,
}

/// Write the files and say what to do with them; `party` is what an operator types to serve, `trefoil party` say.
///
/// # Errors
/// If addresses do not make sense, or the files are there already or cannot be written.
pub fn make(arguments: &Keys, party: &str, as_json: bool) -> Result<(), Refusal> {
    let addresses = addresses(&arguments.address)?;
    let listen = listening(&arguments.listen, &addresses)?;
    let made = write_keys_listening(&arguments.output, &addresses, &listen);
    let keys = made.map_err(|error| match error {
        ServeError::Address(_) => Refusal::misuse(error),
        error => {
            Refusal::new(error).help("choose another folder with --output, or remove the old files")
        }
    })?;
    if as_json {
        let pins: serde_json::Map<_, _> = keys
            .pins
            .iter()
            .map(|(name, pin)| (name.clone(), serde_json::json!(pin)))
            .collect();
        return json(&serde_json::json!({
            "files": keys.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>(),
            "addresses": addresses,
            "pins": pins,
        }));
    }
    let out = arguments.output.display();
    line(&format!("{} files in {out}", keys.files.len()))?;
    for (name, pin) in &keys.pins {
        line(&format!("  {name:<8} {pin}"))?;
    }
    line(&format!(
        "\n\
         Move party0.key to the first machine and delete it elsewhere; likewise party1.key and \
         party2.key.\n\
         On each machine, with the certificates and its own key beside its file:\n  \
         {party} --config {out}/party0.toml\n\
         Then, where the pictures are:\n  \
         trefoil infer --parties {out}/parties.toml --model M.onnx --input X.npy --output OUT.npy"
    ))
}

/// Where the three listen.
fn listening(given: &[String], addresses: &[String; 3]) -> Result<[String; 3], Refusal> {
    match given {
        [] => Ok(addresses.clone()),
        [all] => Ok([(); 3].map(|()| all.clone())),
        _ => <[String; 3]>::try_from(given.to_vec()).map_err(|_| {
            let number = given.len();
            Refusal::misuse(format!(
                "--listen is given {number} times, one or three are needed"
            ))
            .help("name where party 0, party 1 and party 2 listen, in this order")
        }),
    }
}

/// The three addresses asked for, or the local ones.
fn addresses(given: &[String]) -> Result<[String; 3], Refusal> {
    if given.is_empty() {
        return Ok(LOCAL.map(str::to_owned));
    }
    let number = given.len();
    <[String; 3]>::try_from(given.to_vec()).map_err(|_| {
        Refusal::misuse(format!(
            "--address is given {number} times, three are needed"
        ))
        .help("name where party 0, party 1 and party 2 listen, in this order")
    })
}
