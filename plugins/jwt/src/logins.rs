//! Who is in, by client id: what its token grants, and until when.
//!
//! An entry belongs to one connection, told apart by its endpoint: the connection that it took over does not take it along when it goes.
//! Of a client that leaves with a will the rights stay, since the will is judged afterwards; they go when it is back, when the token
//! expires, or first of all when room is needed.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use crate::rights::Rights;

/// Entries with a due expiry that one call takes care of.
const DUE_AT_ONCE: usize = 64;

/// One login.
#[derive(Debug)]
pub struct Login {
    /// What the token grants.
    pub rights: Rights,
    /// Until when, leeway included, in milliseconds since 1970.
    pub expires_ms: u64,
    /// Which connection it is.
    pub endpoint: Box<str>,
    /// Whether a will is kept for it.
    pub has_will: bool,
}

/// All of them; a bounded number.
pub struct Logins {
    table: RwLock<Table>,
    maximum: usize,
    /// No entry expires earlier, so that most calls need not look.
    next_expiry_ms: AtomicU64,
}

#[derive(Default)]
struct Table {
    by_id: HashMap<Arc<str>, Login>,
    /// Those whose expiry is still to come, or still to be told.
    expiries: BTreeSet<(u64, Arc<str>)>,
    /// Those that have left, with a will.
    gone: BTreeSet<Arc<str>>,
}

/// No room, and nobody's time is up.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

/// What is known about a client.
#[derive(Debug, PartialEq, Eq)]
pub enum Standing {
    /// It did not come in with a token.
    Unknown,
    /// Its token has expired.
    Expired,
    /// Its token grants this, and does so for this many milliseconds more.
    Granted(u64),
    /// Its token does not.
    NotGranted,
}

impl Logins {
    /// Nobody yet.
    #[must_use]
    pub fn new(maximum: usize) -> Self {
        Self {
            table: RwLock::default(),
            maximum,
            next_expiry_ms: AtomicU64::new(u64::MAX),
        }
    }

    /// Remembers a login, in place of an earlier one of this client.
    ///
    /// # Errors
    /// There is no room.
    pub fn remember(&self, client_id: &str, login: Login, now_ms: u64) -> Result<(), Full> {
        let mut table = self.table.write();
        table.forget(client_id);
        if table.by_id.len() >= self.maximum && !table.make_room(now_ms) {
            self.note(&table);
            return Err(Full);
        }
        let client_id: Arc<str> = client_id.into();
        table
            .expiries
            .insert((login.expires_ms, Arc::clone(&client_id)));
        table.by_id.insert(client_id, login);
        self.note(&table);
        Ok(())
    }

    /// A connection has ended. Whether it was this entry's.
    pub fn leave(&self, client_id: &str, endpoint: &str, will_follows: bool) -> bool {
        let mut table = self.table.write();
        match table.by_id.get_key_value(client_id) {
            Some((id, login)) if *login.endpoint == *endpoint => {
                if login.has_will && will_follows {
                    let id = Arc::clone(id);
                    table.gone.insert(id);
                } else {
                    table.forget(client_id);
                    self.note(&table);
                }
                true
            }
            _ => false,
        }
    }

    /// How a client stands, at this time.
    #[must_use]
    pub fn standing(
        &self,
        client_id: &str,
        now_ms: u64,
        is_granted: impl FnOnce(&Rights) -> bool,
    ) -> Standing {
        match self.table.read().by_id.get(client_id) {
            None => Standing::Unknown,
            Some(login) if login.expires_ms <= now_ms => Standing::Expired,
            Some(login) if is_granted(&login.rights) => {
                Standing::Granted(login.expires_ms - now_ms)
            }
            Some(_) => Standing::NotGranted,
        }
    }

    /// Clients whose token has expired and that were not named before. They stay known as expired until they leave.
    #[must_use]
    pub fn newly_expired(&self, now_ms: u64) -> Vec<Arc<str>> {
        if now_ms < self.next_expiry_ms.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let mut table = self.table.write();
        let mut expired = Vec::new();
        while expired.len() < DUE_AT_ONCE {
            match table.expiries.first() {
                Some((at, _)) if *at <= now_ms => {}
                _ => break,
            }
            if let Some((_, client_id)) = table.expiries.pop_first() {
                if table.gone.contains(&client_id) {
                    table.forget(&client_id);
                }
                expired.push(client_id);
            }
        }
        self.note(&table);
        expired
    }

    /// Has the lock in its hand, so that what it says is true.
    fn note(&self, table: &Table) {
        let next = table.expiries.first().map_or(u64::MAX, |(at, _)| *at);
        self.next_expiry_ms.store(next, Ordering::Relaxed);
    }
}

impl Table {
    fn forget(&mut self, client_id: &str) {
        if let Some((client_id, login)) = self.by_id.remove_entry(client_id) {
            self.gone.remove(&client_id);
            self.expiries.remove(&(login.expires_ms, client_id));
        }
    }

    /// Forgets one who has left, or else one whose time is up. Whether there was one.
    fn make_room(&mut self, now_ms: u64) -> bool {
        let who = self.gone.first().cloned().or_else(|| {
            let (at, client_id) = self.expiries.first()?;
            (*at <= now_ms).then(|| Arc::clone(client_id))
        });
        let who = who.or_else(|| {
            // Those whose expiry has been told are in no order; a full table is rare.
            let expired = |login: &&Login| login.expires_ms <= now_ms;
            let mut all = self.by_id.iter();
            all.find(|(_, login)| expired(login))
                .map(|(client_id, _)| Arc::clone(client_id))
        });
        who.inspect(|client_id| self.forget(client_id)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(endpoint: &str, expires_ms: u64, has_will: bool) -> Login {
        Login {
            rights: Rights::default(),
            expires_ms,
            endpoint: endpoint.into(),
            has_will,
        }
    }

    fn standing(logins: &Logins, client_id: &str, now_ms: u64) -> Standing {
        logins.standing(client_id, now_ms, |_| true)
    }

    #[test]
    fn until_it_expires() {
        let logins = Logins::new(10);
        logins.remember("ann", login("1", 1_000, false), 0).unwrap();
        logins.remember("bob", login("2", 3_000, false), 0).unwrap();
        assert_eq!(standing(&logins, "ann", 400), Standing::Granted(600));
        assert_eq!(logins.standing("ann", 400, |_| false), Standing::NotGranted);
        assert_eq!(logins.newly_expired(999), []);
        assert_eq!(standing(&logins, "ann", 1_000), Standing::Expired);
        assert_eq!(logins.newly_expired(1_000), ["ann".into()]);
        assert_eq!(logins.newly_expired(1_000), []);
        // It is told once, and known all the same.
        assert_eq!(standing(&logins, "ann", 2_000), Standing::Expired);
        assert_eq!(logins.newly_expired(5_000), ["bob".into()]);
        assert_eq!(standing(&logins, "cid", 0), Standing::Unknown);
    }

    #[test]
    fn a_takeover_is_not_forgotten_with_the_connection_that_it_took() {
        let logins = Logins::new(10);
        logins.remember("ann", login("1", 1_000, false), 0).unwrap();
        logins.remember("ann", login("2", 2_000, false), 0).unwrap();
        assert!(!logins.leave("ann", "1", false));
        assert_eq!(standing(&logins, "ann", 0), Standing::Granted(2_000));
        assert_eq!(logins.newly_expired(1_500), []);
        assert!(logins.leave("ann", "2", false));
        assert_eq!(standing(&logins, "ann", 0), Standing::Unknown);
        assert_eq!(logins.newly_expired(9_000), []);
    }

    #[test]
    fn a_will_is_judged_after_its_client_has_left() {
        let logins = Logins::new(10);
        logins.remember("ann", login("1", 1_000, true), 0).unwrap();
        assert!(logins.leave("ann", "1", true));
        assert_eq!(standing(&logins, "ann", 0), Standing::Granted(1_000));
        assert_eq!(logins.newly_expired(1_000), ["ann".into()]);
        assert_eq!(standing(&logins, "ann", 1_000), Standing::Unknown);
        // Without a will, or when it has taken it back, nothing stays.
        for (has_will, will_follows) in [(true, false), (false, true)] {
            let login = login("1", 1_000, has_will);
            logins.remember("ann", login, 0).unwrap();
            assert!(logins.leave("ann", "1", will_follows));
            assert_eq!(standing(&logins, "ann", 0), Standing::Unknown);
        }
    }

    #[test]
    fn room_is_made_by_those_who_need_it_least() {
        let logins = Logins::new(2);
        logins.remember("ann", login("1", 9_000, true), 0).unwrap();
        logins.remember("bob", login("2", 1_000, false), 0).unwrap();
        assert_eq!(
            logins.remember("cid", login("3", 9_000, false), 0),
            Err(Full)
        );
        // A client that is in may come again.
        logins.remember("bob", login("4", 1_000, false), 0).unwrap();
        logins.leave("ann", "1", true);
        logins.remember("cid", login("3", 9_000, false), 0).unwrap();
        assert_eq!(standing(&logins, "ann", 0), Standing::Unknown);
        assert_eq!(logins.newly_expired(1_500), ["bob".into()]);
        logins
            .remember("dan", login("5", 9_000, false), 1_500)
            .unwrap();
        assert_eq!(standing(&logins, "bob", 0), Standing::Unknown);
        assert_eq!(
            logins.remember("eve", login("6", 9_000, false), 1_500),
            Err(Full)
        );
        assert_eq!(logins.table.read().by_id.len(), 2);
        assert_eq!(logins.table.read().expiries.len(), 2);
    }
}
