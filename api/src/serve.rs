//! Connections: accepted, bounded in time and number, and ended in order.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::{App, Config, TrustedProxies, idempotency, router};

/// The largest head of a request in bytes.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// The most headers of a request.
const MAX_HEADERS: usize = 64;
/// How long to wait after the system refused to accept a connection, most often for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Told to every handler that would otherwise answer for ever: the server is about to stop.
#[derive(Clone)]
pub(crate) struct Closing(pub(crate) CancellationToken);

/// Serves until `shutdown`, then lets the requests that are being answered finish; live streams end at once.
pub async fn run(app: Arc<App>, listener: TcpListener, shutdown: CancellationToken) {
    let (config, proxies) = (app.config, Arc::new(app.proxies.clone()));
    let cleaning = tokio::spawn(idempotency::forget(Arc::clone(&app)));
    let identity = tokio::spawn(Arc::clone(&app.identity).run(shutdown.clone()));
    let router = router(app).layer(axum::Extension(Closing(shutdown.clone())));
    let (connections, places) = (TaskTracker::new(), Arc::new(Semaphore::new(config.max_connections)));
    while let Some((accepted, place)) = accept(&listener, &places, &shutdown).await {
        let proxies = Arc::clone(&proxies);
        connections.spawn(connection(accepted, place, router.clone(), proxies, config, shutdown.clone()));
    }
    drop(listener);
    cleaning.abort();
    // It waits for mails that are on their way.
    if let Err(error) = identity.await {
        tracing::error!(%error, "what looks after accounts and keys stopped");
    }
    connections.close();
    let open = connections.len();
    if tokio::time::timeout(config.drain_timeout, connections.wait()).await.is_err() {
        tracing::warn!(open, "some requests were still being answered when the server stopped");
    }
}

/// The next connection and its place among those that may be open; none when the server stops.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    shutdown: &CancellationToken,
) -> Option<((TcpStream, SocketAddr), OwnedSemaphorePermit)> {
    let next = async {
        let place = Arc::clone(places).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok(accepted) => return Some((accepted, place)),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    shutdown.run_until_cancelled(next).await.flatten()
}

async fn connection(
    (stream, peer): (TcpStream, SocketAddr),
    place: OwnedSemaphorePermit,
    router: Router,
    proxies: Arc<TrustedProxies>,
    config: Config,
    shutdown: CancellationToken,
) {
    // Answers are small and written whole: waiting to fill a packet only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection ended before it was served");
        return;
    }
    let service = TowerToHyperService::new(router.map_request(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        let origin = proxies.origin(peer, request.headers());
        request.extensions_mut().insert(ConnectInfo(origin)); // whose wrong passwords they are
        request
    }));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
    drop(place);
}
