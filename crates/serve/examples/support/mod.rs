//! Three stations of this process, for examples.

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use trefoil_net::Role;
use trefoil_serve::{
    Access, CallerFile, Contact, Place, Purpose, Station, StationFile, StationFiles, write_stations,
};

/// How long anything may take.
pub(crate) const TIME: Duration = Duration::from_mins(1);

/// Why an example ends.
pub(crate) type Failed = Box<dyn Error + Send + Sync>;

/// Where three parties are and what they keep; removed with this.
pub(crate) struct Site {
    _folder: TempDir,
    places: [Place; 3],
    files: StationFiles,
}

impl Site {
    /// Fresh keys and files.
    pub(crate) fn new() -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        let addresses = trefoil_testkit::free_addresses::<9>().map(|address| address.to_string());
        let places = [0, 1, 2].map(|at: usize| Place {
            links: addresses[at].clone(),
            https: addresses[3 + at].clone(),
            admin: addresses[6 + at].clone(),
        });
        let files = write_stations(folder.path(), &places)?;
        Ok(Self {
            _folder: folder,
            places,
            files,
        })
    }

    /// The file of somebody to whom each party gives a token.
    pub(crate) fn contacts(&self, holder: &str, purpose: Purpose) -> Result<CallerFile, Failed> {
        let mut contacts = Vec::new();
        for (at, place) in self.places.iter().enumerate() {
            let path = StationFile::load(&self.files.configs[at])?.access_path();
            let mut access = Access::load(&path)?;
            let (_, token) = access.issue(holder.parse()?, purpose)?;
            access.save(&path)?;
            contacts.push(Contact {
                role: Role::ALL[at],
                url: format!("https://{}", place.https),
                pin: self.files.pins[at],
                token,
            });
        }
        let contacts: [Contact; 3] = contacts.try_into().map_err(|_| "three contacts")?;
        Ok(CallerFile::new(contacts))
    }

    /// Start the three, and wait until they are ready.
    pub(crate) fn start(&self) -> Result<Vec<Station>, Failed> {
        let configs = self.files.configs.iter();
        let stations: Vec<Station> = configs
            .map(|path| Ok(Station::start(&StationFile::load(path)?, |_| ())?))
            .collect::<Result<_, Failed>>()?;
        let begin = Instant::now();
        while !stations.iter().all(Station::is_ready) {
            if begin.elapsed() > TIME {
                return Err("the parties do not find each other".into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(stations)
    }
}
