//! Who calls, and what they may do. The key is looked up each time, so that a revoked one is refused at once.

use std::marker::PhantomData;

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::{HeaderMap, header, request::Parts},
};
use domain::{KeyId, RobotId, TenantName, job::Actor};
use queue::{ApiKey, Scope};

use crate::{
    http::Seen,
    keys::ShownKey,
    problem::{Code, Problem},
    state::App,
};

/// What the problem `missing_scope` names where a robot's key is needed.
const ROBOT: &str = "robot";

/// What a route asks of a key.
pub trait Permit: Send + Sync + 'static {
    /// The scope.
    const SCOPE: Scope;
}

macro_rules! permits {
    ($($name:ident)*) => {$(
        #[doc = concat!("Asks for the scope of the same name as [`Scope::", stringify!($name), "`].")]
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl Permit for $name {
            const SCOPE: Scope = Scope::$name;
        }
    )*};
}

permits!(JobsRead JobsWrite RobotsRegister RobotsRead RobotsWrite QueuesWrite Admin);

/// A caller whose key has the scope of `P`.
#[derive(Clone, Debug)]
pub struct Caller<P> {
    /// Whose key it is: all they see and change is this tenant's.
    pub tenant: TenantName,
    /// The key.
    pub key: KeyId,
    permit: PhantomData<P>,
}

impl<P> Caller<P> {
    /// Who does what is done.
    pub fn actor(&self) -> Actor {
        Actor::Key(self.key.clone())
    }
}

impl<P: Permit> FromRequestParts<App> for Caller<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let key = authenticate(parts, app).await?;
        // A robot's key speaks for its robot and for nothing else.
        let allowed = key.robot.is_none() && (key.scopes.contains(&P::SCOPE) || key.scopes.contains(&Scope::Admin));
        if !allowed {
            return Err(missing_scope(P::SCOPE.as_str()));
        }
        Ok(Self {
            tenant: key.tenant,
            key: key.id,
            permit: PhantomData,
        })
    }
}

/// A robot that calls, by its own key.
#[derive(Clone, Debug)]
pub struct RobotCaller {
    /// Whose it is.
    pub tenant: TenantName,
    /// The robot.
    pub robot: RobotId,
}

impl FromRequestParts<App> for RobotCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let key = authenticate(parts, app).await?;
        let robot = key.robot.ok_or_else(|| missing_scope(ROBOT))?;
        Ok(Self {
            tenant: key.tenant,
            robot,
        })
    }
}

/// A robot that calls on its own path, the one with its id.
#[derive(Clone, Debug)]
pub struct RobotOnItsPath(pub RobotCaller);

impl FromRequestParts<App> for RobotOnItsPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let caller = RobotCaller::from_request_parts(parts, app).await?;
        let path = RawPathParams::from_request_parts(parts, app).await.ok();
        let names_it = path.is_some_and(|path| {
            path.iter()
                .any(|(name, value)| name == "id" && value == caller.robot.as_str())
        });
        if !names_it {
            return Err(Problem::new(Code::WrongRobot, "The key is another robot's."));
        }
        Ok(Self(caller))
    }
}

/// The key that the request shows, if it is one that is stored and not expired.
async fn authenticate(parts: &Parts, app: &App) -> Result<ApiKey, Problem> {
    let shown = shown(&parts.headers).ok_or_else(unauthorized)?;
    let key = app.engine.find_key(&shown.id).await?.filter(|key| shown.proves(key));
    let now = app.engine.now();
    let key = key
        .filter(|key| key.expires_at.is_none_or(|at| now < at))
        .ok_or_else(unauthorized)?;
    if let Some(seen) = parts.extensions.get::<Seen>() {
        seen.by(&key.tenant);
    }
    Ok(key)
}

fn shown(headers: &HeaderMap) -> Option<ShownKey> {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| bearer(value.as_bytes()));
    let shown = bearer.or_else(|| headers.get("x-api-key").map(|value| value.as_bytes().trim_ascii()));
    ShownKey::parse(shown?)
}

/// What follows the scheme `Bearer`, which is written in any case.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| rest.trim_ascii())
}

fn unauthorized() -> Problem {
    Problem::new(
        Code::Unauthorized,
        "Send a key as `Authorization: Bearer KEY` or `X-API-Key: KEY`; this one is missing, unknown, revoked or expired.",
    )
}

fn missing_scope(scope: &str) -> Problem {
    let detail = match scope {
        ROBOT => "Only a robot's own key may do this (scope robot).".to_owned(),
        _ => format!("The key lacks the scope {scope}."),
    };
    Problem::new(Code::MissingScope, detail).with("scope", scope)
}
