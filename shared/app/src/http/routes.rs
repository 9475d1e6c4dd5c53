//! The routes of a function, from what its handlers say of themselves.

use axum::{Router, handler::Handler, routing::on};
use utoipa_axum::PathItemExt as _;

use crate::state::App;

/// Makes the functions `routes` and `router` of a crate from one list of its handlers.
///
/// On Lambda `routes` is enough. To describe all handlers takes longer than to serve them, at each cold start, and nobody
/// asks a function for its own description: `control` has the document of all of them in its program.
#[macro_export]
macro_rules! handlers {
    ($($module:ident::$handler:ident),+ $(,)?) => {
        /// The routes, bare.
        pub fn routes(app: $crate::App) -> ::axum::Router {
            let router = ::axum::Router::new();
            $(
                let router = ::utoipa_axum::paste! {
                    $crate::http::serving::<$module::[<__path_ $handler>], _, _>(router, &$module::$handler)
                };
            )+
            router.with_state(app)
        }

        /// The routes, bare, and what they say of themselves.
        pub fn router(app: $crate::App) -> (::axum::Router, ::utoipa::openapi::OpenApi) {
            let described = ::utoipa_axum::router::OpenApiRouter::<$crate::App>::new()
                $(.routes(::utoipa_axum::routes!($module::$handler)))+;
            (routes(app), described.into_openapi())
        }
    };
}

/// `router` with `handler` where `P` says that it is.
pub fn serving<P, H, T>(router: Router<App>, handler: &H) -> Router<App>
where
    P: utoipa::Path,
    H: Handler<T, App>,
    T: 'static,
{
    P::methods().iter().fold(router, |router, method| {
        router.route(&P::path(), on(method.to_method_filter(), handler.clone()))
    })
}
