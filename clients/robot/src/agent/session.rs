//! The agent's calls, and what follows from their answers.

use std::time::Instant;

use remuda_client::CallError;
use tracing::{info, warn};

use super::{Agent, Session};
use crate::RunError;
use crate::book::Exchange;
use crate::calls::{self, Call, Reply};
use crate::protocol::{Directive, SessionOpened, SyncAnswer};
use crate::server::is_key_refused;

/// How often in a row a session is opened again because an older try of our own may have superseded it.
const REOPENS_MAX: u32 = 3;

impl Agent {
    /// The call that is due: a session, if there is none, else a sync.
    pub(super) fn call(&mut self) -> Call {
        self.sync_soon = false;
        let server = self.tools.server.clone();
        let Some(session) = &mut self.session else {
            return calls::open_session(server, self.book.holding());
        };
        session.seq += 1;
        for (key, progress) in self.tools.board.take() {
            self.book.progressed(&key, progress);
        }
        if let Some(leaving) = &mut self.leaving {
            leaving.telling = true;
        }
        let shortest_lease = self.book.shortest_lease();
        calls::sync(server, self.book.request(session.epoch, session.seq), shortest_lease)
    }

    pub(super) fn answered(&mut self, reply: Reply) -> Result<(), RunError> {
        match reply {
            Reply::Session {
                repeated,
                result: Ok(SessionOpened { epoch }),
            } => {
                info!("Opened session {epoch}");
                self.session = Some(Session {
                    epoch,
                    seq: 0,
                    doubtful: repeated,
                });
                self.sync_at_once();
                Ok(())
            }
            Reply::Session { result: Err(error), .. } => Err(self.refused(error)),
            Reply::Sync {
                first_sent,
                repeated,
                result: Ok(answer),
            } => {
                self.synced(answer, first_sent, repeated);
                Ok(())
            }
            Reply::Sync { result: Err(error), .. } => self.sync_refused(error),
        }
    }

    pub(super) fn synced(&mut self, answer: SyncAnswer, first_sent: Instant, repeated: bool) {
        self.reopens = 0;
        if let Some(session) = &mut self.session {
            session.doubtful = false;
        }
        if let Some(leaving) = &mut self.leaving {
            leaving.told |= leaving.telling;
        }
        self.tell_rotation(&answer.directives);
        let next_sync_ms = answer.next_sync_ms;
        let orders = self.book.apply(
            answer,
            Exchange {
                first_sent,
                now: Instant::now(),
            },
        );
        self.carry_out(orders);
        // A repeated call's answer may be as old as its first try: a fresh one tells how long leases really last.
        let at_once = repeated
            || self.sync_soon
            || self.session.is_none()
            || self.book.wants_sync()
            || self.leaving.as_ref().is_some_and(|leaving| !leaving.told);
        self.next_call = Instant::now();
        if !at_once {
            self.next_call += self.book.wait(next_sync_ms, rand::random());
        }
    }

    pub(super) fn sync_refused(&mut self, error: CallError) -> Result<(), RunError> {
        let doubtful = self.session.take().is_some_and(|session| session.doubtful);
        match error.code() {
            Some("stale_sequence") => {
                warn!("The server has heard a later sync than this robot's: opening a new session");
            }
            Some("session_superseded") if doubtful && self.reopens < REOPENS_MAX => {
                warn!("A session that this robot tried to open before has come about late: opening a new one");
                self.reopens += 1;
            }
            Some("session_superseded") => return Err(RunError::Superseded),
            _ => return Err(self.refused(error)),
        }
        self.sync_at_once();
        Ok(())
    }

    pub(super) fn refused(&self, source: CallError) -> RunError {
        let unknown = source.status().is_some_and(|status| status.as_u16() == 404);
        if is_key_refused(&source) || unknown {
            RunError::KeyRefused {
                path: self.tools.state.identity_file(),
                source,
            }
        } else {
            RunError::Refused { source }
        }
    }

    pub(super) fn tell_rotation(&mut self, directives: &[Directive]) {
        if directives.contains(&Directive::RotateKey) && !self.rotation_told {
            self.rotation_told = true;
            warn!(
                "The server asks for a new key: drain this robot, delete {} and start it again with a registration key",
                self.tools.state.identity_file().display()
            );
        }
    }
}
