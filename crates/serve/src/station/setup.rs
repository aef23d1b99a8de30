//! Files to begin with: for three machines, or for a trial on one.

use crate::config::Contact as PartyContact;
use crate::{ServeError, address};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use trefoil_net::{Identity, Pin, Role};

/// Where one party is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `HOST:PORT` for the other two parties.
    pub links: String,
    /// `HOST:PORT` for owners and users.
    pub https: String,
    /// `HOST:PORT` for the operator, on the loopback interface.
    pub admin: String,
}

/// What [`write_stations`] made.
#[derive(Clone, Debug)]
pub struct StationFiles {
    /// The configuration files, by role.
    pub configs: [PathBuf; 3],
    /// What owners and users need of the parties: URLs and pins, without tokens.
    pub contacts: PathBuf,
    /// The pins, by role.
    pub pins: [Pin; 3],
}

/// Make an identity and a configuration file for each of three parties in `directory`, which is created: `party0.crt`,
/// `party0.key`, `serve0.toml` and so on, and `contacts.toml` for owners and users. Parties listen where they are reached, and
/// keep store, store key and access file beside their configuration.
///
/// # Errors
/// If an address cannot be one, or a file exists already or cannot be written.
pub fn write_stations(directory: &Path, places: &[Place; 3]) -> Result<StationFiles, ServeError> {
    let links = places.each_ref().map(|place| place.links.clone());
    address::check_all(&links).map_err(ServeError::Address)?;
    for place in places {
        address::check(&place.https).map_err(ServeError::Address)?;
        address::check(&place.admin).map_err(ServeError::Address)?;
    }
    fs::create_dir_all(directory).map_err(|source| ServeError::File {
        path: directory.to_owned(),
        source,
    })?;
    let mut pins = Vec::new();
    for role in Role::ALL {
        let identity = Identity::generate(&format!("party{}", role.index()))?;
        identity.save(directory)?;
        pins.push(identity.pin());
    }
    let pins = [pins[0], pins[1], pins[2]];
    let contacts = |role: Role| PartyContact {
        role,
        address: links[role.index()].clone(),
        pin: Some(pins[role.index()]),
    };
    let peers = Role::ALL.map(contacts);
    let mut parties = String::new();
    for peer in &peers {
        let (role, address, pin) = (peer.role.index(), &peer.address, pins[peer.role.index()]);
        // Writing to a string does not fail.
        let _ = write!(
            parties,
            "\n[[parties]]\nrole = {role}\naddress = \"{address}\"\npin = \"{pin}\"\n"
        );
    }
    let mut configs = Vec::new();
    for (role, place) in Role::ALL.into_iter().zip(places) {
        let path = directory.join(format!("serve{}.toml", role.index()));
        create(&path, &config(role, place, &parties))?;
        configs.push(path);
    }
    let mut text = String::from(
        "# The three parties, for owners and users: copy this file, put in each `token` what that party's operator has issued\n\
         # (trefoil-party access new), and keep it from others.\n",
    );
    for (role, place) in Role::ALL.into_iter().zip(places) {
        let (index, https, pin) = (role.index(), &place.https, pins[role.index()]);
        let _ = write!(
            text,
            "\n[[parties]]\nrole = {index}\nurl = \"https://{https}\"\npin = \"{pin}\"\ntoken = \"\"\n"
        );
    }
    let contacts = directory.join("contacts.toml");
    create(&contacts, &text)?;
    Ok(StationFiles {
        configs: [configs[0].clone(), configs[1].clone(), configs[2].clone()],
        contacts,
        pins,
    })
}

fn config(role: Role, place: &Place, parties: &str) -> String {
    let index = role.index();
    let Place {
        links,
        https,
        admin,
    } = place;
    format!(
        "# Party {index}: see docs/operate.md. Check it with: trefoil-party serve serve{index}.toml --check-config\n\
         role = {index}\n\
         \n\
         # Where the other two parties, owners and users, and the operator connect. The last one is not protected: it\n\
         # must be on the loopback interface.\n\
         listen = \"{links}\"\n\
         https = \"{https}\"\n\
         admin = \"{admin}\"\n\
         \n\
         # Paths are relative to this file. The store key is made at the first start; back it up apart from the store.\n\
         certificate = \"party{index}.crt\"\n\
         key = \"party{index}.key\"\n\
         store = \"store{index}\"\n\
         store_key = \"store{index}.key\"\n\
         old_store_keys = []\n\
         access = \"access{index}.toml\"\n\
         \n\
         # Longest silence of another party.\n\
         timeout_seconds = 15\n\
         \n\
         # [limits] and [queue] bound what is taken; docs/operate.md lists them with their defaults.\n\
         {parties}"
    )
}

fn create(path: &Path, text: &str) -> Result<(), ServeError> {
    let failed = |source| ServeError::File {
        path: path.to_owned(),
        source,
    };
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}
