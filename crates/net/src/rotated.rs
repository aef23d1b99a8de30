//! Links of a party that plays another role in a session than its place among the three.

use crate::Role;
use crate::transport::{Heard, LinkStats, NetError, Transport};
use std::time::Instant;

/// How far the roles of a session are turned against the places of the parties: the party at place `i` has role `i + by`.
///
/// Replicated shares know no roles: the party at place `i` holds the components `i` and `i + 1`, which are those of its role when the
/// components are counted from another one. So the work of party 0, which prepares, can go round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation(u8);

impl Rotation {
    /// That of session `number`: all three know the number.
    pub const fn of(number: u64) -> Self {
        Self((number % 3) as u8)
    }

    /// The role of the party at this place.
    pub const fn role(self, place: Role) -> Role {
        match self.0 {
            0 => place,
            1 => place.next(),
            _ => place.prev(),
        }
    }

    /// The place of the party with this role.
    pub const fn place(self, role: Role) -> Role {
        match self.0 {
            0 => role,
            1 => role.prev(),
            _ => role.next(),
        }
    }
}

/// Links between places, as links between roles.
pub struct Rotated {
    links: Box<dyn Transport>,
    rotation: Rotation,
}

impl Rotated {
    /// `links`, turned.
    pub fn new(links: Box<dyn Transport>, rotation: Rotation) -> Self {
        Self { links, rotation }
    }

    fn told(&self, error: NetError) -> NetError {
        error.renamed(|place| self.rotation.role(place))
    }
}

impl Transport for Rotated {
    fn send(&mut self, to: Role, body: Vec<u8>) -> Result<(), NetError> {
        let sent = self.links.send(self.rotation.place(to), body);
        sent.map_err(|error| self.told(error))
    }

    fn receive(
        &mut self,
        awaited: &[Role],
        deadline: Instant,
    ) -> Result<(Role, Vec<u8>), NetError> {
        let places: Vec<Role> = awaited.iter().map(|&r| self.rotation.place(r)).collect();
        match self.links.receive(&places, deadline) {
            Ok((from, body)) => Ok((self.rotation.role(from), body)),
            Err(error) => Err(self.told(error)),
        }
    }

    fn drain(&mut self, deadline: Instant) -> Result<(), NetError> {
        let drained = self.links.drain(deadline);
        drained.map_err(|error| self.told(error))
    }

    fn finish(&mut self, deadline: Instant) -> Result<(), NetError> {
        let finished = self.links.finish(deadline);
        finished.map_err(|error| self.told(error))
    }

    fn linger(&mut self, deadline: Instant) {
        self.links.linger(deadline);
    }

    fn heard(&self, peer: Role) -> Option<Heard> {
        self.links.heard(self.rotation.place(peer))
    }

    fn stats(&self, peer: Role) -> LinkStats {
        self.links.stats(self.rotation.place(peer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory_mesh;
    use std::time::Duration;

    #[test]
    fn a_role_has_one_place_and_neighbours_stay_neighbours() {
        for number in 0..6 {
            let rotation = Rotation::of(number);
            for place in Role::ALL {
                let role = rotation.role(place);
                assert_eq!(rotation.place(role), place);
                assert_eq!(rotation.role(place.next()), role.next());
                assert_eq!(role.index(), (place.index() + number as usize) % 3);
            }
        }
    }

    #[test]
    fn messages_arrive_by_role_and_failures_name_roles() {
        for number in 0..3 {
            let rotation = Rotation::of(number);
            let mut links: Vec<(Role, Rotated)> = Role::ALL
                .into_iter()
                .zip(memory_mesh())
                .map(|(place, links)| {
                    (
                        rotation.role(place),
                        Rotated::new(Box::new(links), rotation),
                    )
                })
                .collect();
            links.sort_by_key(|(role, _)| *role);
            for (role, links) in &mut links {
                links.send(role.next(), vec![u8::from(*role)]).unwrap();
                links
                    .drain(Instant::now() + Duration::from_secs(5))
                    .unwrap();
            }
            for (role, links) in &mut links {
                let deadline = Instant::now() + Duration::from_secs(5);
                let (from, body) = links.receive(&[role.prev()], deadline).unwrap();
                assert_eq!((from, body), (role.prev(), vec![u8::from(role.prev())]));
                assert_eq!(links.stats(role.next()).frames_sent, 1);
                let silent = links.receive(&[role.next()], Instant::now()).unwrap_err();
                let NetError::Timeout { peers, .. } = silent else {
                    panic!("{silent}");
                };
                assert_eq!(peers, [role.next()]);
            }
        }
    }
}
